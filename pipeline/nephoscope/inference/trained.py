"""Trained members on disk → an ensemble, for new images or for the images that a fold held out."""

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
from nephoscope.settings.section import Device, Machine

ALL_FOLDS = -1


def open_ensemble(
    classifiers: Path,
    segmenters: Path,
    data: Metadata,
    inference_settings: InferenceSettings,
    device: Device,
    fold: int = ALL_FOLDS,
) -> Ensemble:
    """Folders of checkpoints → the members that predict new images; with a fold, those that never saw its images.

    The precision is that of the settings, to which rules belong, whatever the device.
    """
    paths = select_members(classifiers, segmenters, data, inference_settings)
    if fold != ALL_FOLDS:
        paths = members_of_fold(classifiers, fold), members_of_fold(segmenters, fold)
    machine = Machine(accelerator=device.accelerator, precision=inference_settings.precision)
    classifying, segmenting = (
        {f"{kind}-{path.stem}": TorchEngine.open(path, machine) for path in members}
        for kind, members in zip(("classifier", "segmenter"), paths, strict=True)
    )
    engines = {name: engine.description for name, engine in (classifying | segmenting).items()}
    return Ensemble(data, [*classifying.values()], [*segmenting.values()], inference_settings, engines)


def select_members(
    classifiers: Path, segmenters: Path, data: Metadata, inference_settings: InferenceSettings
) -> tuple[list[Path], list[Path]]:
    """Checkpoints of the classifiers and segmenters that predict new images. Checkpoints of other data are rejected."""
    refuse_other_data([*member_paths(classifiers), *member_paths(segmenters)], data)
    return (
        first_members(classifiers, inference_settings.classifiers),
        first_members(segmenters, inference_settings.segmenters),
    )


def members_of_fold(folder: Path, fold: int) -> list[Path]:
    """Checkpoints of the members that never saw this fold."""
    members = [path for path in member_paths(folder) if load_metadata(path).fold == fold]
    if not members:
        raise UserError(f"{folder}: no trained member of fold {fold}; run the training stages first")
    return members


def member_paths(folder: Path) -> list[Path]:
    """All checkpoints of a folder, sorted by seed and fold."""
    members = sorted(folder.glob("*.safetensors"), key=_numbers_in_name)
    if not members:
        raise UserError(f"{folder}: no trained member; run the training stages first")
    return members


def _numbers_in_name(path: Path) -> tuple[list[int], str]:
    """Sort key that puts seed 2 before seed 10."""
    return [int(digits) for digits in re.findall(r"\d+", path.stem)], path.name


def first_members(folder: Path, count: int | None) -> list[Path]:
    """The first checkpoints of a folder; None: all of them."""
    members = member_paths(folder)
    if count is not None and count > len(members):
        raise UserError(
            f"{folder}: {len(members)} trained, but the settings of predict ask for {count}; "
            "lower that number, or train more seeds or folds"
        )
    return members[:count]


def predict_rows(
    model: Ensemble, cache: Cache, rows: npt.NDArray[np.int64], batch_size: int
) -> Iterator[tuple[int, Prediction]]:
    """Rows of the cache → (row, prediction) in the same order, computed in batches."""
    for batch in batches(rows, batch_size):
        images, visible = np.asarray(cache.images[batch]), np.asarray(cache.visible[batch])
        yield from zip(batch.tolist(), model.predict(images, visible), strict=True)


def batches(rows: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows in groups of this size; the last may be smaller."""
    remaining = iter(rows.tolist())
    while batch := list(islice(remaining, size)):
        yield np.array(batch)


def unseen_groups(manifest: Manifest, rows: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
    """Rows grouped by the fold that held them out. Without folds, all rows are in one group."""
    folds = manifest.images["fold"].to_numpy()[rows]
    return {int(fold): rows[folds == fold] for fold in np.unique(folds)}
