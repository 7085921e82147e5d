"""The steps between a data set and its manifest: choose the usable images, describe them, add their splits."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.cache import CacheRecord
from nephoscope.data.formats import LABELLED_FOLDER, Format
from nephoscope.data.manifest import Metadata
from nephoscope.data.problems import DataProblemsError, Problem, images_to_set_aside, unlabelled_with_problems
from nephoscope.data.source import Source
from nephoscope.data.splits import Splits
from nephoscope.masks.rle import Shape


def make_metadata(data_format: Format, cache_shape: Shape, held_out: int) -> Metadata:
    return Metadata(
        format=data_format.name,
        classes=data_format.classes,
        rle_shape=data_format.rle_shape,
        output_shape=data_format.output_shape,
        cache_shape=cache_shape,
        folds=held_out,
        nodata=data_format.nodata,
        ground_size=data_format.ground_size,
    )


def usable_rows(
    source: Source, problems: list[Problem], choice: Literal["refuse", "set_aside"]
) -> npt.NDArray[np.int64]:
    """Rows of the source's images without problems; raises DataProblemsError if problems are to be refused."""
    image_ids, labelled = source.images["image_id"], source.images["labelled"]
    has_problem = image_ids.isin(images_to_set_aside(problems, choice))
    # Rows of the CSV concern labelled images, so an unlabelled image of the same name stays usable.
    usable = ~has_problem | ~labelled & ~image_ids.isin(unlabelled_with_problems(problems))
    if not (usable & labelled).any():
        problems.append(Problem("no_pictures", LABELLED_FOLDER, None, "every image in the folder has a problem"))
        raise DataProblemsError(problems)
    return np.flatnonzero(usable)


def describe_images(images: pd.DataFrame, records: list[CacheRecord], classes: tuple[str, ...]) -> pd.DataFrame:
    """The images (N rows) with the columns visible_share and `area_<class_name>` for every class."""
    columns = {"visible_share": [record.visible_share for record in records]}
    columns |= {f"area_{name}": [record.areas.get(name, 0.0) for record in records] for name in classes}
    return images.reset_index(drop=True).assign(**columns)


def add_splits(images: pd.DataFrame, splits: Splits, groups: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The images with the columns split, fold and group.

    Labelled images come first; the others are "unlabelled", with fold and group -1.
    """
    unlabelled = len(images) - len(splits.split)
    images = images.drop(columns="labelled")
    images.insert(2, "split", [*splits.split.tolist(), *["unlabelled"] * unlabelled])
    images.insert(3, "fold", np.append(splits.fold, np.full(unlabelled, -1)))
    images.insert(4, "group", np.append(groups, np.full(unlabelled, -1)))
    return images


def add_split_digest(metadata: Metadata, images: pd.DataFrame) -> Metadata:
    """The metadata with a digest of the split, so that a network is never evaluated on its own training images."""
    labelled = images.loc[images["split"] != "unlabelled", ["image_id", "split", "fold"]].sort_values("image_id")
    digest = hashlib.sha256(labelled.to_csv(index=False).encode("utf-8", "surrogateescape")).hexdigest()
    return dataclasses.replace(metadata, split=digest[:16])


def truth_rows(records: Iterable[CacheRecord]) -> Iterator[tuple[str, str, str]]:
    """(image_id, class_name, RLE at the output shape) of every mask that is not empty."""
    for record in records:
        for class_name, rle in record.rles.items():
            yield record.image_id, class_name, rle
