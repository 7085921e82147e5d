"""Trained members and rules → a portable model folder, and a comparison of two engines."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from nephoscope.bundle.folder import (
    CHECKSUMS,
    DESCRIPTION,
    JOINT,
    REFERENCE_OUTPUTS,
    RULES,
    checked_files,
    hash_file,
    network_names,
)
from nephoscope.bundle.joint_graph import write_joint
from nephoscope.bundle.onnx_graph import write_onnx
from nephoscope.files import write_json
from nephoscope.inference.engine_choice import run_probe
from nephoscope.inference.engines import Engine
from nephoscope.inference.ensemble import Ensemble, fit_images
from nephoscope.inference.torch_engine import TorchEngine
from nephoscope.models.checkpoint import load_checkpoint, save_checkpoint
from nephoscope.rules.rules import Rules
from nephoscope.settings.section import Machine

EXACT = Machine(accelerator="cpu", precision="fp32")


def export_model(
    folder: Path,
    classifiers: Sequence[Path],
    segmenters: Sequence[Path],
    rules: Rules,
    *,
    half: bool = False,
) -> None:
    """Checkpoints and rules → a new folder that `open_portable` reads on any machine; `half`: weights in 16 bits."""
    folder.mkdir(parents=True)
    properties = {"nephoscope_version": version("nephoscope"), "nephoscope_rules": rules.digest}
    names: dict[str, Any] = {"classifiers": [], "segmenters": []}
    for kind, checkpoints in (("classifiers", classifiers), ("segmenters", segmenters)):
        for checkpoint in checkpoints:
            network, metadata = load_checkpoint(checkpoint)
            name = f"{kind[:-1]}-{metadata.member}"
            exported = folder / f"{name}.safetensors"
            save_checkpoint(exported, network, metadata, half=half)
            write_onnx(exported, properties)
            names[kind].append(name)
    write_json(folder / RULES, rules.model_dump())
    networks = network_names(names)
    if write_joint(folder / f"{JOINT}.onnx", [folder / f"{name}.safetensors" for name in networks], properties):
        names[JOINT] = JOINT
    outputs = {name: run_probe(TorchEngine.open(folder / f"{name}.safetensors", EXACT)) for name in networks}
    save_file(outputs, folder / REFERENCE_OUTPUTS)
    checksums = {name: hash_file(folder / name) for name in checked_files(names)}
    write_json(folder / DESCRIPTION, {"data": metadata.data.to_dict(), **names, CHECKSUMS: checksums})


@dataclass(frozen=True)
class Agreement:
    """The differences of two engines on the same images."""

    presence: float
    """Largest difference of a presence."""
    pixels: float
    """Largest difference of a pixel's probability; levels are 1/255 apart."""
    level_share: float
    """Share of the pixels with equal levels."""
    pictures: int


def compare(model: Ensemble, reference: Ensemble, images: np.ndarray) -> Agreement:
    """Both models over images (N×H×W×3 at the cache shape), all pixels visible."""
    classifiers = zip(model.classifiers, reference.classifiers, strict=True)
    segmenters = zip(model.segmenters, reference.segmenters, strict=True)
    presence = max(_largest_difference(*engines, images) for engines in classifiers)
    pixels = max(_largest_difference(*engines, images) for engines in segmenters)
    visible = np.ones(images.shape[:3], bool)
    predictions = zip(model.predict(images, visible), reference.predict(images, visible), strict=True)
    equal = np.mean([np.mean(prediction.levels == expected.levels) for prediction, expected in predictions])
    return Agreement(presence, pixels, float(equal), len(images))


def _largest_difference(engine: Engine, reference: Engine, images: np.ndarray) -> float:
    fitted = fit_images(images, engine.input_shape)
    return float(np.abs(engine(fitted) - reference(fitted)).max())
