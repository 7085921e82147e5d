"""The hardware as PyTorch uses it: device, precision of training, and loader processes."""

from typing import Literal

import torch

from nephoscope.errors import UserError
from nephoscope.hardware import count_cores
from nephoscope.settings.section import Precision
from nephoscope.settings.training import TrainingMachine

MAX_WORKERS = 8


def resolve_device(accelerator: Literal["auto", "cpu", "gpu"]) -> torch.device:
    """The GPU if it is asked for or available, else the CPU."""
    if accelerator == "gpu" and not torch.cuda.is_available():
        needs = f" with a driver for CUDA {torch.version.cuda}" if torch.version.cuda else ""
        raise UserError(f"machine.accelerator: gpu, but PyTorch finds no GPU{needs}; use auto or cpu")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def resolve_training_precision(machine: TrainingMachine) -> Precision:
    """ "auto" is bf16 where training is faster with it: on a GPU that supports it, on a CPU with AMX or AVX512-BF16.

    Predictions do not depend on the hardware: see `nephoscope.rules.rules.InferenceSettings.precision`.
    """
    if machine.precision != "auto":
        return machine.precision
    if resolve_device(machine.accelerator).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # With AVX512-BF16 alone it is faster because of `QuickDepthwise`.
    return "bf16" if _has_amx() or torch.cpu._is_avx512_bf16_supported() else "fp32"


def compute_exactly() -> None:
    """Turn off TF32 and its like in this process: they keep 10 of the 23 bits that fp32 promises."""
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


def resolve_workers(machine: TrainingMachine) -> int:
    """Number of loader processes: none on a CPU, whose cores the network needs; on a GPU enough to keep it busy."""
    if machine.workers != "auto":
        return machine.workers
    on_gpu = resolve_device(machine.accelerator).type == "cuda"
    return min(MAX_WORKERS, max(1, count_cores() - 1)) if on_gpu else 0


def _has_amx() -> bool:
    functions = ("_is_amx_tile_supported", "_init_amx")
    return all(hasattr(torch.cpu, name) for name in functions) and bool(torch.cpu._is_amx_tile_supported())
