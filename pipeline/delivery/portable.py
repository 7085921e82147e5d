"""The portable model: one folder with both networks (ONNX and safetensors), the rules, classes and shapes."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.data.manifest import Facts
from pipeline.delivery.choices import Choice
from pipeline.inference.choosing import answer, find_fastest
from pipeline.inference.engines import ENGINES, Engine, TorchEngine
from pipeline.inference.two_stage import TwoStage, fit_images
from pipeline.json_file import read_json, write_json
from pipeline.masks.rle import Shape
from pipeline.masks.rule import Rules
from pipeline.mendable import Mendable
from pipeline.models.checkpoint import load_checkpoint, save_checkpoint
from pipeline.models.folding import fold_decoder
from pipeline.params import Machine

EXACT = Machine(accelerator="cpu", precision="fp32")
OPSET = 18
ANSWERS = "answers.safetensors"
"""What torch answers to the probe of `pipeline.inference.choosing`, member by member."""


class _WithProbabilities(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.network(images))


def export_model(
    folder: Path,
    classifiers: Sequence[Path],
    segmenters: Sequence[Path],
    rules: Rules,
    *,
    half: bool = False,
    with_onnx: bool = True,
) -> None:
    """Checkpoints and rules → a folder that `open_portable` reads, here or elsewhere."""
    folder.mkdir(parents=True)
    names: dict[str, list[str]] = {"classifiers": [], "segmenters": []}
    for kind, checkpoints in (("classifiers", classifiers), ("segmenters", segmenters)):
        for checkpoint in checkpoints:
            network, facts = load_checkpoint(checkpoint)
            name = f"{kind[:-1]}-{facts.member}"
            save_checkpoint(folder / f"{name}.safetensors", network, facts, half=half)
            names[kind].append(name)
    write_json(folder / "model.json", {"data": facts.data.to_dict(), **names})
    write_json(folder / "rules.json", rules.model_dump())
    answers = {stem.name: answer(TorchEngine.open(stem.with_suffix(".safetensors"), EXACT)) for stem in _stems(folder)}
    save_file(answers, folder / ANSWERS)
    if with_onnx:
        add_onnx(folder)


def add_onnx(folder: Path) -> None:
    """Every network of the folder as ONNX, too."""
    for stem in _stems(folder):
        network, facts = load_checkpoint(stem.with_suffix(".safetensors"))
        _export_onnx(network, facts.input_shape, stem.with_suffix(".onnx"))


def _stems(folder: Path) -> list[Path]:
    content = read_model(folder)
    return [folder / name for kind in ("classifiers", "segmenters") for name in content[kind]]


def read_model(folder: Path) -> Any:
    """What model.json says: `data` (facts), `classifiers` and `segmenters` (names of members)."""
    path = folder / "model.json"
    if not path.is_file():
        raise Mendable(f"{folder}: no portable model; `python -m stages.export` writes one")
    return read_json(path)


def classifier_checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in read_model(folder)["classifiers"]]


def with_onnx(folder: Path) -> Path:
    """The folder, or where it has no ONNX a copy that has, made once a machine and kept in the user's cache."""
    if all(stem.with_suffix(".onnx").is_file() for stem in _stems(folder)):
        return folder
    kept = platformdirs.user_cache_path("nephoscope") / "models" / fingerprint(folder)[:16]
    if not kept.is_dir():
        tqdm.write(f"{folder}: preparing the model for this machine, which is done once", file=sys.stderr)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as own:
            made = Path(shutil.copytree(folder, Path(own) / "model"))
            add_onnx(made)
            # Another process may have been sooner, and be reading its own: then that one stays.
            try:
                made.rename(kept)
            except OSError:
                if not kept.is_dir():
                    raise
    return kept


def fingerprint(folder: Path) -> str:
    """Of everything in a portable model folder that decides what comes out."""
    read_model(folder)
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix != ".md"):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _export_onnx(network: nn.Module, shape: Shape, path: Path) -> None:
    for module in network.modules():
        # What writes in place is traced all the same, by a way that takes twice as long.
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    # Two pictures: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, *shape, dtype=torch.uint8)
    program = torch.onnx.export(
        _WithProbabilities(fold_decoder(network)).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None  # with dynamo=True it always is
    # Where in this machine's folders every step comes from is nobody's business, and would differ from one to the next.
    for node in program.model.graph:
        node.metadata_props.clear()
    program.save(path, external_data=False)


def open_portable(
    folder: Path, engine: Choice = "auto", machine: Machine | None = None, streams: int = 1
) -> tuple[TwoStage, Rules]:
    """A portable model folder → both stages and the rules. "auto": every network by the fastest engine like torch.

    With one stream a call has all cores, and a picture is done soonest; with as many as there are cores, most are done.
    """
    content, machine = read_model(folder), machine or Machine()
    if engine != "torch":
        folder = with_onnx(folder)
    rules = Rules.model_validate(read_json(folder / "rules.json"))
    stems = {kind: [folder / name for name in content[kind]] for kind in ("classifiers", "segmenters")}
    answers = load_file(folder / ANSWERS)

    def open_network(stem: Path) -> Engine:
        name = find_fastest(stem, machine, answers[stem.name]) if engine == "auto" else engine
        return ENGINES[name](stem, machine, streams)

    opened = {kind: [open_network(stem) for stem in each] for kind, each in stems.items()}
    return TwoStage(Facts.from_dict(content["data"]), reading=rules.reading, **opened), rules


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


def compare(one: TwoStage, other: TwoStage, images: np.ndarray) -> Agreement:
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
