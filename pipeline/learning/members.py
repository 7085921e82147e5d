"""Members: the networks whose probabilities are averaged, one per seed (and per fold)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.data.manifest import Manifest

Rows = npt.NDArray[np.int64]


class Member(NamedTuple):
    name: str
    seed: int
    fold: int
    """-1: none; else the fold that chooses the epoch and that gradients never see"""


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
    """Cache rows that this member learns from, and those that choose its epoch. Holdout is in neither."""
    if member.fold < 0:
        return manifest.rows("train"), manifest.rows("validation")
    pool = manifest.rows("train", "validation")
    held_out = manifest.images["fold"].to_numpy()[pool] == member.fold
    return pool[~held_out], pool[held_out]
