"""The hardware of this process: its CPU cores, its GPUs, and its memory allocator. Does not load PyTorch."""

import ctypes
import os
import platform
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
GIBIBYTE = 1 << 30
DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of GPUs in /dev."""


def count_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def list_gpus() -> list[str]:
    """Device files of GPUs. If there are none, PyTorch finds no GPU either."""
    return sorted(path.name for driver in DRIVERS for path in Path("/dev").glob(driver))


def keep_freed_memory() -> None:
    """Make glibc keep freed memory.

    A training step allocates and frees the same hundred megabytes. Returning them to the system each time causes page
    faults, which make a step on a CPU 1.5 times slower.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, GIBIBYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIBIBYTE)
