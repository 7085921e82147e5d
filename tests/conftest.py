import os

from hypothesis import settings

# Before anything imports them. A test run calls nobody,
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# and its small networks gain nothing from threads, which only wait for each other where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The first call of compiled code takes a second, and a busy machine takes its time: neither is a fault.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
