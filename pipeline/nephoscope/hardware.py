"""What this process has of the machine: its cores, its cards, and an allocator that keeps its memory. Without torch."""

import ctypes
import os
import platform
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
GIBIBYTE = 1 << 30
DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""In /dev, where a GPU can be computed on."""


def count_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def list_gpus() -> list[str]:
    """Drivers of GPUs; where there are none, torch would find none."""
    return sorted(path.name for driver in DRIVERS for path in Path("/dev").glob(driver))


def keep_freed_memory() -> None:
    """Keep glibc from giving freed memory back: a training step frees and asks again for the same hundred megabytes,

    and every return costs a storm of page problems (1.5 times the time of a step on a CPU).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, GIBIBYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIBIBYTE)
