"""Trained members and rules → a portable model folder, and how far what is in it answers like torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from nephoscope.bundle.folder import ANSWERS, DESCRIPTION, RULES, list_stems
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
    """Checkpoints and rules → a folder that `open_portable` reads, here or elsewhere."""
    folder.mkdir(parents=True)
    names: dict[str, list[str]] = {"classifiers": [], "segmenters": []}
    for kind, checkpoints in (("classifiers", classifiers), ("segmenters", segmenters)):
        for checkpoint in checkpoints:
            network, metadata = load_checkpoint(checkpoint)
            name = f"{kind[:-1]}-{metadata.member}"
            exported = folder / f"{name}.safetensors"
            save_checkpoint(exported, network, metadata, half=half)
            write_onnx(exported)
            names[kind].append(name)
    write_json(folder / DESCRIPTION, {"data": metadata.data.to_dict(), **names})
    write_json(folder / RULES, rules.model_dump())
    answers = {
        stem.name: run_probe(TorchEngine.open(stem.with_suffix(".safetensors"), EXACT)) for stem in list_stems(folder)
    }
    save_file(answers, folder / ANSWERS)


@dataclass(frozen=True)
class Agreement:
    """How far two engines are apart on the same pictures."""

    presence: float
    """Largest difference of a presence"""
    pixels: float
    """Largest difference of a pixel's probability; levels are 1/255 apart"""
    level_share: float
    """Share of the pixels whose level is the same"""
    pictures: int


def compare(one: Ensemble, other: Ensemble, images: np.ndarray) -> Agreement:
    """Both models over images (N×H×W×3 at the cache shape), all pixels visible."""
    presence = [_largest_difference(a, b, images) for a, b in zip(one.classifiers, other.classifiers, strict=True)]
    pixels = [_largest_difference(a, b, images) for a, b in zip(one.segmenters, other.segmenters, strict=True)]
    visible = np.ones(images.shape[:3], bool)
    pairs = zip(one.predict(images, visible), other.predict(images, visible), strict=True)
    same = np.mean([np.mean(a.levels == b.levels) for a, b in pairs])
    return Agreement(max(presence), max(pixels), float(same), len(images))


def _largest_difference(one: Engine, other: Engine, images: np.ndarray) -> float:
    fitted = fit_images(images, one.input_shape)
    return float(np.abs(one(fitted) - other(fitted)).max())
