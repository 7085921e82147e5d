"""What the machine has: a device, a precision that is faster there, an allocator that keeps its memory."""

import ctypes
import os
import platform
from typing import Literal

import torch

from pipeline.mendable import Mendable
from pipeline.params import Machine

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
GIBIBYTE = 1 << 30
MOST_WORKERS = 8


def resolve_device(accelerator: Literal["auto", "cpu", "gpu"]) -> torch.device:
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise Mendable("machine.accelerator: gpu, but torch finds no GPU here; say auto or cpu")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def resolve_precision(machine: Machine, *, training: bool = False) -> Literal["fp32", "bf16"]:
    """ "auto" is bf16 where that is faster: a GPU that computes in it, a CPU with AMX tiles, and in training (with
    `QuickDepthwise`) a CPU with AVX512-BF16.
    """
    if machine.precision != "auto":
        return machine.precision
    if resolve_device(machine.accelerator).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _has_amx() or (training and torch.cpu._is_avx512_bf16_supported()) else "fp32"


def resolve_workers(machine: Machine) -> int:
    """Loader processes: on a CPU they would take the network's cores, beside a GPU they keep it from waiting."""
    if machine.workers != "auto":
        return machine.workers
    on_gpu = resolve_device(machine.accelerator).type == "cuda"
    return min(MOST_WORKERS, max(1, count_cores() - 1)) if on_gpu else 0


def count_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def calm_allocator() -> None:
    """Keep glibc from giving freed memory back: a training step frees and asks again for the same hundred megabytes,

    and every return costs a storm of page faults (1.5 times the time of a step on a CPU).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, GIBIBYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIBIBYTE)


def _has_amx() -> bool:
    asks = ("_is_amx_tile_supported", "_init_amx")
    return all(hasattr(torch.cpu, name) for name in asks) and bool(torch.cpu._is_amx_tile_supported())
