"""Trained members on disk → a Ensemble, for a whole data set or for the pictures that a fold held out."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.torch_engine import TorchEngine
from nephoscope.models.metadata import load_metadata, refuse_other_data
from nephoscope.rules.rules import InferenceSettings
from nephoscope.settings.section import Machine

ALL_FOLDS = -1


def open_ensemble(
    classifiers: Path,
    segmenters: Path,
    data: Metadata,
    inference_settings: InferenceSettings,
    machine: Machine,
    fold: int = ALL_FOLDS,
) -> Ensemble:
    """The members that see new pictures; with a fold, those that never saw its pictures."""
    paths = members_read(classifiers, segmenters, data, inference_settings)
    if fold != ALL_FOLDS:
        paths = members_of_fold(classifiers, fold), members_of_fold(segmenters, fold)
    classifier_engines, segmenter_engines = ([TorchEngine.open(path, machine) for path in members] for members in paths)
    return Ensemble(data, classifier_engines, segmenter_engines, inference_settings)


def members_read(
    classifiers: Path, segmenters: Path, data: Metadata, inference_settings: InferenceSettings
) -> tuple[list[Path], list[Path]]:
    """Classifiers and segmenters that see new pictures; all that were trained learned from these data."""
    refuse_other_data([*member_paths(classifiers), *member_paths(segmenters)], data)
    return first_members(classifiers, inference_settings.classifiers), first_members(
        segmenters, inference_settings.segmenters
    )


def members_of_fold(folder: Path, fold: int) -> list[Path]:
    members = [path for path in member_paths(folder) if load_metadata(path).fold == fold]
    if not members:
        raise UserError(f"{folder}: no trained member of fold {fold}; run the training stages first")
    return members


def member_paths(folder: Path) -> list[Path]:
    """The checkpoints of a folder, by seed and fold."""
    members = sorted(folder.glob("*.safetensors"), key=_numbers)
    if not members:
        raise UserError(f"{folder}: no trained member; run the training stages first")
    return members


def _numbers(path: Path) -> tuple[list[int], str]:
    """Seed 2 stands before seed 10."""
    return [int(digits) for digits in re.findall(r"\d+", path.stem)], path.name


def first_members(folder: Path, wanted: int | None) -> list[Path]:
    """So many, the first of those trained; None: all."""
    members = member_paths(folder)
    if wanted is not None and wanted > len(members):
        raise UserError(f"{folder}: {len(members)} trained, and predict asks for {wanted}; ask for fewer or train more")
    return members[:wanted]


def predict_rows(
    model: Ensemble, cache: Cache, rows: npt.NDArray[np.int64], batch_size: int
) -> Iterator[tuple[int, Prediction]]:
    """Cache rows → (row, prediction) in that order, a batch at a time."""
    for batch in batches(rows, batch_size):
        images, visible = np.asarray(cache.images[batch]), np.asarray(cache.visible[batch])
        yield from zip(batch.tolist(), model.predict(images, visible), strict=True)


def batches(rows: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    remaining = iter(rows.tolist())
    while batch := list(islice(remaining, size)):
        yield np.array(batch)


def unseen_groups(manifest: Manifest, rows: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
    """Rows by the fold that held them out: who may judge which pictures. Without folds all go to all members."""
    folds = manifest.images["fold"].to_numpy()[rows]
    return {int(fold): rows[folds == fold] for fold in np.unique(folds)}
