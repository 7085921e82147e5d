"""The choice of an engine: the fastest one whose probabilities match PyTorch's on a probe.

Every network of a model is tested on its own, because one may tolerate 16 bits and another may not.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.hardware import list_gpus
from nephoscope.inference.agreement import LIMITS, Difference
from nephoscope.inference.engines import Engine, EngineMissingError, EngineName, Images, OnnxEngine, OpenVinoEngine
from nephoscope.masks.rle import Shape
from nephoscope.settings.section import Machine

LOGGER = logging.getLogger("nephoscope")
REPEATS = 3
EVERY = 8
"""The probe output keeps every eighth row and column of a map."""
ProbeOutput = npt.NDArray[np.float32]


def _open_torch(stem: Path, machine: Machine, _: int) -> Engine:
    from nephoscope.inference.torch_engine import TorchEngine  # PyTorch takes seconds to load

    return TorchEngine.open(stem.with_suffix(".safetensors"), machine)


def _open_onnx(stem: Path, machine: Machine, streams: int) -> Engine:
    if machine.precision != "fp32":
        raise UserError(f"the engine onnx computes in fp32, and not in {machine.precision}; choose another engine")
    return OnnxEngine(stem.with_suffix(".onnx"), streams)


def _open_openvino(stem: Path, machine: Machine, streams: int) -> Engine:
    return OpenVinoEngine(stem.with_suffix(".onnx"), machine, streams)


ENGINES: dict[EngineName, Callable[[Path, Machine, int], Engine]] = {
    "openvino": _open_openvino,
    "onnx": _open_onnx,
    "torch": _open_torch,
}
"""(path of an exported network without its ending, machine, streams) → engine; usually the fastest first.

Streams are calls that run side by side, each on one core. A single stream uses all cores."""


@dataclass(frozen=True)
class Trial:
    engine: EngineName
    difference: Difference
    """from PyTorch's probabilities"""
    seconds: float
    """time for the probe"""


def find_fastest(stem: Path, machine: Machine, expected: ProbeOutput) -> EngineName:
    """Path of a network without its ending, and PyTorch's probe output → the fastest engine that matches it.

    Without a GPU, PyTorch is tried only if no other engine matches, because it is slow to load.
    """
    last_resort: list[EngineName] = [] if machine.accelerator != "cpu" and list_gpus() else ["torch"]
    limits = LIMITS[machine.precision]
    trials = _try_engines([name for name in ENGINES if name not in last_resort], stem, machine, expected)
    if not any(trial.difference.within(limits) for trial in trials):
        trials += _try_engines(last_resort, stem, machine, expected)
    matching = [trial for trial in trials if trial.difference.within(limits)]
    differences = [f"{trial.engine} by {trial.difference}" for trial in trials if trial not in matching]
    if not matching:
        raise UserError(
            f"{stem}: the probabilities of every engine differ from the exported ones: {'; '.join(differences)} "
            f"(at most {limits}); export the model again"
        )
    for difference in differences:
        LOGGER.warning("%s: an engine is skipped, which differs from PyTorch: %s", stem.name, difference)
    return min(matching, key=lambda trial: trial.seconds).engine


def _try_engines(names: Sequence[EngineName], stem: Path, machine: Machine, expected: ProbeOutput) -> list[Trial]:
    """Trials of the engines that are installed. A failing engine is logged and skipped; if PyTorch fails, it raises."""
    trials = []
    for name in names:
        try:
            engine = ENGINES[name](stem, machine, 1)
            difference = Difference.between(run_probe(engine), expected)
            trials.append(Trial(name, difference, min(_time(engine) for _ in range(REPEATS))))
        except EngineMissingError:
            pass
        except Exception as error:
            if name == "torch":
                raise
            LOGGER.warning("%s: the engine %s fails and is skipped: %s", stem.name, name, error)
    return trials


def run_probe(engine: Engine) -> ProbeOutput:
    """The engine's probabilities for the probe; of maps, every eighth row and column."""
    probabilities = engine(draw_probe(engine.input_shape))
    return np.ascontiguousarray(probabilities if probabilities.ndim == 2 else probabilities[..., ::EVERY, ::EVERY])


def draw_probe(shape: Shape) -> Images:
    """Two cloud-like images (2×H×W×3), always the same: bright grain of several sizes over dark blue."""
    rng = np.random.default_rng(0)
    height, width = shape
    clouds = np.zeros((2, height, width))
    for cells in (4, 8, 16, 32, 64):
        grains = rng.normal(size=(2, cells, cells * 3 // 2)) / cells**0.7
        clouds += [cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) for grain in grains]
    clouds = np.clip(clouds - clouds.mean(), 0, 1)[..., None]
    return np.asarray(np.round((1 - clouds) * np.array([25, 35, 60]) + clouds * 230), np.uint8)


def _time(engine: Engine) -> float:
    probe = draw_probe(engine.input_shape)
    begin = time.perf_counter()
    engine(probe)
    return time.perf_counter() - begin
