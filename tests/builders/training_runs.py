"""Trainings of seconds, what they read and change, and the batches and weights that tests compare."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training import fit
from nephoscope.training.loaders import Batch, CachedImages
from nephoscope.training.members import Member, list_phases
from nephoscope.training.sampling import Draw
from nephoscope.training.tasks import ClassifierTask, SegmenterTask
from nephoscope.training.train import train_members

MACHINE = {"accelerator": "cpu", "precision": "fp32"}
"""The same arithmetic on every processor: "auto" is bf16 where that is faster."""
QUICK = {"weights": "none", "batch_size": 8, "machine": MACHINE}
CLASSIFIER = QUICK | {"encoder": "mobilenetv3_small_050", "dropout": 0.0}
SEGMENTER = QUICK | {"architecture": "VanillaUnet"}


def classifier(**changes: object) -> TrainClassifier:
    return TrainClassifier.model_validate(CLASSIFIER | {"epochs": 2} | changes)


def segmenter(**changes: object) -> TrainSegmenter:
    return TrainSegmenter.model_validate(SEGMENTER | {"epochs": 2} | changes)


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path)[0].state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[key]) for key, value in one.items())


def train(params: TrainClassifier | TrainSegmenter, artifacts: Artifacts) -> Path:
    """Train and give the path of the first member."""
    folder = artifacts.train_segmenter if isinstance(params, TrainSegmenter) else artifacts.train_classifier
    train_members(params, artifacts.prepare, folder)
    return folder.members / "seed0.safetensors"


class Watcher(Callback):
    """Record what a training reads, and the rates, gradients and weights of every step."""

    def __init__(self) -> None:
        self.augmented_rows: list[int] = []
        self.plain_rows: list[int] = []
        self.rates: list[dict[str, float]] = []
        self.gradient_norms: list[float] = []
        self.weights: list[dict[str, torch.Tensor]] = []

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self.rates.append({group["name"]: group["lr"] for group in trainer.optimizers[0].param_groups})

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: ARG002
        gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
        self.gradient_norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
        state = pl_module.network.state_dict()  # type: ignore[operator,union-attr]
        self.weights.append({key: value.clone() for key, value in state.items()})


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Trainings inside this context are watched."""
    build_callbacks, read = fit._callbacks, CachedImages.__getitem__

    def read_and_record(images: CachedImages, draw: Draw) -> Any:
        (watcher.plain_rows if images.augment is None else watcher.augmented_rows).append(draw.row)
        return read(images, draw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "_callbacks", lambda *arguments: [watcher, *build_callbacks(*arguments)])
        patch.setattr(CachedImages, "__getitem__", read_and_record)
        yield


def watch(
    params: TrainClassifier | TrainSegmenter, artifacts: Artifacts, folder: Path, member: Member | None = None
) -> Watcher:
    """Train one member into a folder, and give what was recorded."""
    watcher, manifest = Watcher(), Manifest.load(artifacts.prepare.manifest)
    phases = list_phases(params, folder)
    with watching(watcher):
        fit.fit_member(member or Member("seed0", 0, -1), params, manifest, artifacts.prepare.cache, phases, "none")
    return watcher


class FixedScores:
    """Validation metrics with the given scores, one per validation run."""

    def __init__(self, scores: list[float]) -> None:
        self.remaining = list(scores)

    def add(self, *_: object) -> None: ...

    def scores(self) -> dict[str, float]:
        score = self.remaining.pop(0)
        return {"dice": score, "pr_auc": score}


def fix_scores(patch: pytest.MonkeyPatch, scores: list[float]) -> None:
    """The validation runs of the next trainings have these scores."""
    metrics = FixedScores(scores)
    for task in (ClassifierTask, SegmenterTask):
        patch.setattr(task, "new_metrics", lambda _: metrics)


def batch(planes: torch.Tensor, visible: torch.Tensor | None = None) -> Batch:
    images = torch.zeros(len(planes), 3, *planes.shape[1:], dtype=torch.uint8)
    presence = torch.stack([(planes >> bit & 1).flatten(1).any(1) for bit in range(2)], 1).float()
    return Batch(images, planes, torch.ones_like(planes, dtype=torch.bool) if visible is None else visible, presence)


def planes(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 4, (3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
