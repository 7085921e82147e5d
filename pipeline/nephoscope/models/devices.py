"""The hardware as PyTorch uses it: device, precision, and loader processes."""

from typing import Literal

import torch

from nephoscope.errors import UserError
from nephoscope.hardware import count_cores
from nephoscope.settings.section import Machine
from nephoscope.settings.training import TrainingMachine

MAX_WORKERS = 8


def resolve_device(accelerator: Literal["auto", "cpu", "gpu"]) -> torch.device:
    """The GPU if it is asked for or available, else the CPU."""
    if accelerator == "gpu" and not torch.cuda.is_available():
        needs = f" with a driver for CUDA {torch.version.cuda}" if torch.version.cuda else ""
        raise UserError(f"machine.accelerator: gpu, but PyTorch finds no GPU{needs}; use auto or cpu")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def resolve_precision(machine: Machine, *, training: bool = False) -> Literal["fp32", "bf16"]:
    """ "auto" is bf16 where that is faster: on a GPU that supports it and on a CPU with AMX.

    In training, `QuickDepthwise` also makes it faster on a CPU with AVX512-BF16.
    """
    if machine.precision != "auto":
        return machine.precision
    if resolve_device(machine.accelerator).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _has_amx() or (training and torch.cpu._is_avx512_bf16_supported()) else "fp32"


def resolve_workers(machine: TrainingMachine) -> int:
    """Number of loader processes: none on a CPU, whose cores the network needs; on a GPU enough to keep it busy."""
    if machine.workers != "auto":
        return machine.workers
    on_gpu = resolve_device(machine.accelerator).type == "cuda"
    return min(MAX_WORKERS, max(1, count_cores() - 1)) if on_gpu else 0


def _has_amx() -> bool:
    functions = ("_is_amx_tile_supported", "_init_amx")
    return all(hasattr(torch.cpu, name) for name in functions) and bool(torch.cpu._is_amx_tile_supported())
