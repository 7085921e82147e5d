"""The engines there are, and the fastest that a network can be trusted to: each that may be it answers a probe, is
compared with torch, and timed. Every network of a model has its own, for one may bear 16 bits and another not."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nephoscope.errors import UserError
from nephoscope.hardware import list_gpus
from nephoscope.inference.engines import Engine, EngineMissingError, EngineName, Images, OnnxEngine, OpenVinoEngine
from nephoscope.masks.rle import Shape
from nephoscope.settings.section import Machine

TOLERANCE = 0.03
"""Mean difference of a probability from torch in fp32. bf16 has eight bits, and differs by 0.02 on the probe; on real
clouds its pixels differ by 0.003 in the mean and by 0.09 at most, and Dice by 0.0002."""
REPEATS = 3
EVERY = 8
"""Of the rows and columns of a map, so many are kept in an answer."""
Answer = npt.NDArray[np.float32]


def _open_torch(stem: Path, machine: Machine, _: int) -> Engine:
    from nephoscope.inference.torch_engine import TorchEngine  # when it is wanted: torch takes seconds to load

    return TorchEngine.open(stem.with_suffix(".safetensors"), machine)


def _open_onnx(stem: Path, _: Machine, streams: int) -> Engine:
    return OnnxEngine(stem.with_suffix(".onnx"), streams)


def _open_openvino(stem: Path, machine: Machine, streams: int) -> Engine:
    return OpenVinoEngine(stem.with_suffix(".onnx"), machine, streams)


ENGINES: dict[EngineName, Callable[[Path, Machine, int], Engine]] = {
    "openvino": _open_openvino,
    "onnx": _open_onnx,
    "torch": _open_torch,
}
"""Path of an exported member without its ending, the machine, and streams (calls that are computed side by side, each
by a core of its own; a single one has all) → its engine; the usually fastest first."""


@dataclass(frozen=True)
class Tried:
    engine: EngineName
    difference: float
    """mean, of the probabilities"""
    seconds: float
    """for the probe"""

    @property
    def trusted(self) -> bool:
        return self.difference <= TOLERANCE


def find_fastest(stem: Path, machine: Machine, expected: Answer) -> EngineName:
    """The path of a network without its ending, and what torch answers to the probe in fp32 → the fastest engine that
    answers alike. Without a GPU that is never torch, which is slow to load: it is tried if no other is trusted."""
    last_resort: list[EngineName] = [] if machine.accelerator != "cpu" and list_gpus() else ["torch"]
    tried = _try_engines([name for name in ENGINES if name not in last_resort], stem, machine, expected)
    if not any(one.trusted for one in tried):
        tried += _try_engines(last_resort, stem, machine, expected)
    trusted = [one for one in tried if one.trusted]
    if not trusted:
        found = ", ".join(f"{one.engine} by {one.difference:.3f}" for one in tried)
        raise UserError(
            f"{stem}: every engine differs from torch's own answer by more than {TOLERANCE} in the mean: {found}; "
            "export anew"
        )
    return min(trusted, key=lambda one: one.seconds).engine


def _try_engines(names: Sequence[EngineName], stem: Path, machine: Machine, expected: Answer) -> list[Tried]:
    """Those of them that are installed. One that breaks is told, and passed over; torch alone has none to follow it."""
    tried = []
    for name in names:
        try:
            engine = ENGINES[name](stem, machine, 1)
            difference = float(np.abs(answer(engine) - expected).mean())
            tried.append(Tried(name, difference, min(_time(engine) for _ in range(REPEATS))))
        except EngineMissingError:
            pass
        except Exception as error:
            if name == "torch":
                raise
            tqdm.write(f"nephoscope: {stem.name}: the engine {name} is passed over: {error}", file=sys.stderr)
    return tried


def answer(engine: Engine) -> Answer:
    """The engine's probabilities for the probe; of maps every so many rows and columns."""
    probabilities = engine(draw_probe(engine.input_shape))
    return np.ascontiguousarray(probabilities if probabilities.ndim == 2 else probabilities[..., ::EVERY, ::EVERY])


def draw_probe(shape: Shape) -> Images:
    """Two pictures (2×H×W×3) of something like clouds, always the same: grain of every size, bright over dark blue."""
    rng = np.random.default_rng(0)
    height, width = shape
    clouds = np.zeros((2, height, width))
    for cells in (4, 8, 16, 32, 64):
        grains = rng.normal(size=(2, cells, cells * 3 // 2)) / cells**0.7
        clouds += [cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in grains]
    clouds = np.clip(clouds - clouds.mean(), 0, 1)[..., None]
    return np.asarray(np.round((1 - clouds) * np.array([25, 35, 60]) + clouds * 230), np.uint8)


def _time(engine: Engine) -> float:
    probe = draw_probe(engine.input_shape)
    begin = time.perf_counter()
    engine(probe)
    return time.perf_counter() - begin
