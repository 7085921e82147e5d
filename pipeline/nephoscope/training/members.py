"""Members (one network per seed and fold) and the phases of their training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.data.manifest import Manifest
from nephoscope.settings.training import TrainClassifier, TrainSegmenter

Rows = npt.NDArray[np.int64]


class Member(NamedTuple):
    name: str
    seed: int
    fold: int
    """The fold that this member never trains on and that chooses its epoch; -1: no folds."""


def list_members(seeds: Sequence[int], folds: int) -> list[Member]:
    """
    >>> [member.name for member in list_members([0, 1], folds=0)]
    ['seed0', 'seed1']
    >>> [member.name for member in list_members([0], folds=2)]
    ['seed0-fold0', 'seed0-fold1']
    """
    if folds == 0:
        return [Member(f"seed{seed}", seed, -1) for seed in seeds]
    return [Member(f"seed{seed}-fold{fold}", seed, fold) for seed in seeds for fold in range(folds)]


def member_rows(member: Member, manifest: Manifest) -> tuple[Rows, Rows]:
    """Cache rows for training, and for choosing the epoch. Holdout is in neither."""
    if member.fold < 0:
        return manifest.rows("train"), manifest.rows("validation")
    pool = manifest.rows("train", "validation")
    held_out = manifest.images["fold"].to_numpy()[pool] == member.fold
    return pool[~held_out], pool[held_out]


@dataclass(frozen=True)
class Progress:
    """The files of a phase, while it runs and after it."""

    folder: Path

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def last(self) -> Path:
        """The state to resume from."""
        return self.folder / "last.ckpt"

    @property
    def finished(self) -> Path:
        return self.folder / "finished"


@dataclass(frozen=True)
class Phase:
    """A part of training. It starts from the best weights of the phase before."""

    params: TrainClassifier | TrainSegmenter
    """with the epochs, shape and rates of this phase"""
    epochs_before: int
    """number of epochs of the phases before it"""
    progress: Progress


def list_phases(params: TrainClassifier | TrainSegmenter, folder: Path) -> list[Phase]:
    """The main phase, and the fine-tuning phase if there is one."""
    finetune = params.finetune
    phases = [Phase(params, 0, Progress(folder / "main"))]
    if finetune.epochs:
        rates = finetune.model_dump(include={"encoder_rate", "decoder_rate", "warmup_share"})
        changes = {
            "epochs": finetune.epochs,
            "input_shape": finetune.input_shape,
            "optimiser": params.optimiser.model_copy(update=rates),
            "frozen_epochs": 0,
        }
        phases.append(Phase(params.model_copy(update=changes), params.epochs, Progress(folder / "finetune")))
    return phases
