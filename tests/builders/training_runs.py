"""Trainings of seconds, and the batches and weights that tests compare."""

from pathlib import Path

import torch

from nephoscope.artifacts import Artifacts
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training.loaders import Batch
from nephoscope.training.train import train_members

QUICK = {"weights": "none", "batch_size": 8, "machine": {"accelerator": "cpu"}}
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


def batch(planes: torch.Tensor, visible: torch.Tensor | None = None) -> Batch:
    images = torch.zeros(len(planes), 3, *planes.shape[1:], dtype=torch.uint8)
    presence = torch.stack([(planes >> bit & 1).flatten(1).any(1) for bit in range(2)], 1).float()
    return Batch(images, planes, torch.ones_like(planes, dtype=torch.bool) if visible is None else visible, presence)


def planes(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 4, (3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
