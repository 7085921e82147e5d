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
from nephoscope.inference.joint import InTurn, JointEngine, JointOutput
from nephoscope.masks.rle import Shape
from nephoscope.settings.section import Machine

LOGGER = logging.getLogger("nephoscope")
REPEATS = 3
EVERY = 8
"""The probe output keeps every eighth row and column of a map."""
ProbeOutput = npt.NDArray[np.float32]
Open = Callable[[EngineName], JointEngine]


def _open_torch(stem: Path, machine: Machine, _: int) -> Engine:
    from nephoscope.inference.torch_engine import TorchEngine  # PyTorch takes seconds to load

    return TorchEngine.open(stem.with_suffix(".safetensors"), machine)


def _open_torch_in_turn(_: Path, machine: Machine, streams: int, checkpoints: Sequence[Path]) -> JointEngine:
    return InTurn(tuple(_open_torch(checkpoint.with_suffix(""), machine, streams) for checkpoint in checkpoints))


def _open_onnx(stem: Path, machine: Machine, streams: int, checkpoints: Sequence[Path] = ()) -> OnnxEngine:
    if machine.precision != "fp32":
        raise UserError(f"the engine onnx computes in fp32, and not in {machine.precision}; choose another engine")
    return OnnxEngine(stem.with_suffix(".onnx"), streams, checkpoints)


def _open_openvino(stem: Path, machine: Machine, streams: int, checkpoints: Sequence[Path] = ()) -> OpenVinoEngine:
    return OpenVinoEngine(stem.with_suffix(".onnx"), machine, streams, checkpoints)


ENGINES: dict[EngineName, Callable[[Path, Machine, int], Engine]] = {
    "openvino": _open_openvino,
    "onnx": _open_onnx,
    "torch": _open_torch,
}
"""(path of an exported network without its ending, machine, streams) → engine; usually the fastest first.

Streams are calls that run side by side, each on one core. A single stream uses all cores."""
JOINT_ENGINES: dict[EngineName, Callable[[Path, Machine, int, Sequence[Path]], JointEngine]] = {
    "openvino": _open_openvino,
    "onnx": _open_onnx,
    "torch": _open_torch_in_turn,
}
"""(path of a joint graph without its ending, machine, streams, its checkpoints) → engine for both networks."""


@dataclass(frozen=True)
class Trial:
    engine: EngineName
    differences: tuple[Difference, ...]
    """of each network's probabilities from PyTorch's"""
    seconds: float
    """time for the probe"""

    def within(self, limits: Difference) -> bool:
        return all(difference.within(limits) for difference in self.differences)

    def __str__(self) -> str:
        return f"{self.engine} by {' and '.join(map(str, self.differences))}"


def open_joint(
    engine: EngineName, joint: Path, networks: Sequence[Path], machine: Machine, streams: int
) -> dict[str, Engine]:
    """Paths of a joint graph and of its networks, without endings → name of a network → its engine."""
    opened = JOINT_ENGINES[engine](joint, machine, streams, _checkpoints(networks))
    return {stem.name: JointOutput(opened, index) for index, stem in enumerate(networks)}


def _checkpoints(networks: Sequence[Path]) -> list[Path]:
    return [stem.with_suffix(".safetensors") for stem in networks]


def find_fastest(stem: Path, machine: Machine, expected: ProbeOutput) -> EngineName:
    """Path of a network without its ending, and PyTorch's probe output → the fastest engine that matches it."""
    return _choose(stem, machine, [expected], lambda engine: InTurn((ENGINES[engine](stem, machine, 1),)))


def find_fastest_joint(
    joint: Path, networks: Sequence[Path], machine: Machine, expected: Sequence[ProbeOutput]
) -> EngineName:
    """As `find_fastest`, for the paths of a joint graph and of its networks. Every network must match."""
    checkpoints = _checkpoints(networks)
    return _choose(joint, machine, expected, lambda engine: JOINT_ENGINES[engine](joint, machine, 1, checkpoints))


def _choose(stem: Path, machine: Machine, expected: Sequence[ProbeOutput], open_engine: Open) -> EngineName:
    """The fastest engine that matches all of PyTorch's probe outputs.

    Without a GPU, PyTorch is tried only if no other engine matches, because it is slow to load.
    """
    last_resort: list[EngineName] = [] if machine.accelerator != "cpu" and list_gpus() else ["torch"]
    limits = LIMITS[machine.precision]
    trials = _try_engines([name for name in ENGINES if name not in last_resort], stem, expected, open_engine)
    if not any(trial.within(limits) for trial in trials):
        trials += _try_engines(last_resort, stem, expected, open_engine)
    matching = [trial for trial in trials if trial.within(limits)]
    differences = [str(trial) for trial in trials if not trial.within(limits)]
    if not matching:
        raise UserError(
            f"{stem}: the probabilities of every engine differ from the exported ones: {'; '.join(differences)} "
            f"(at most {limits}); export the model again"
        )
    for difference in differences:
        LOGGER.warning("%s: an engine is skipped, which differs from PyTorch: %s", stem.name, difference)
    return min(matching, key=lambda trial: trial.seconds).engine


def _try_engines(
    names: Sequence[EngineName], stem: Path, expected: Sequence[ProbeOutput], open_engine: Open
) -> list[Trial]:
    """Trials of the engines that are installed. A failing engine is logged and skipped; if PyTorch fails, it raises."""
    trials = []
    for name in names:
        try:
            engine = open_engine(name)
            differences = tuple(Difference.between(*pair) for pair in zip(_run_probe(engine), expected, strict=True))
            trials.append(Trial(name, differences, min(_time(engine) for _ in range(REPEATS))))
        except EngineMissingError:
            pass
        except Exception as error:
            if name == "torch":
                raise
            LOGGER.warning("%s: the engine %s fails and is skipped: %s", stem.name, name, error)
    return trials


def run_probe(engine: Engine) -> ProbeOutput:
    """The engine's probabilities for the probe; of maps, every eighth row and column."""
    (output,) = _run_probe(InTurn((engine,)))
    return output


def _run_probe(engine: JointEngine) -> list[ProbeOutput]:
    outputs = engine.run(draw_probe(engine.input_shape))
    return [np.ascontiguousarray(output if output.ndim == 2 else output[..., ::EVERY, ::EVERY]) for output in outputs]


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


def _time(engine: JointEngine) -> float:
    probe = draw_probe(engine.input_shape)
    begin = time.perf_counter()
    engine.run(probe)
    return time.perf_counter() - begin
