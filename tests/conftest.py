import os

# Before anything imports it: a test run calls nobody.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
