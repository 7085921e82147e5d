"""Assembling a manifest: from pictures as they lie in the source to those that are kept, described and split."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.cache import Filled
from nephoscope.data.formats import LABELLED_FOLDER, Format
from nephoscope.data.manifest import Metadata
from nephoscope.data.problems import DataProblemsError, Problem, problem_images, unlabelled_problems
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
    )


def sound_rows(
    source: Source, problems: list[Problem], choice: Literal["refuse", "set_aside"]
) -> npt.NDArray[np.int64]:
    """Rows of the source's pictures that are kept; raises DataFaults where the problems are to be refused."""
    problem = source.pictures["image_id"].isin(problem_images(problems, choice))
    # A row of the CSV asks for a labelled picture: the unlabelled one of that name is as sound as before.
    sound = ~problem | ~source.pictures["labelled"] & ~source.pictures["image_id"].isin(unlabelled_problems(problems))
    if not (sound & source.pictures["labelled"]).any():
        problems.append(Problem("no_pictures", LABELLED_FOLDER, None, "every picture in it has a problem"))
        raise DataProblemsError(problems)
    return np.flatnonzero(sound)


def describe_images(pictures: pd.DataFrame, filled: list[Filled], classes: tuple[str, ...]) -> pd.DataFrame:
    """The pictures (N), beside them visible_share and one `area_<class_name>` per class."""
    learnt = {"visible_share": [one.visible_share for one in filled]}
    learnt |= {f"area_{name}": [one.areas.get(name, 0.0) for one in filled] for name in classes}
    return pictures.reset_index(drop=True).assign(**learnt)


def add_splits(images: pd.DataFrame, splits: Splits) -> pd.DataFrame:
    """The images of a manifest: the labelled ones, who stand first, with their split and fold; then "unlabelled"."""
    unlabelled = len(images) - len(splits.split)
    images = images.drop(columns="labelled")
    images.insert(2, "split", [*splits.split.tolist(), *["unlabelled"] * unlabelled])
    images.insert(3, "fold", np.append(splits.fold, np.full(unlabelled, -1)))
    return images


def name_split(metadata: Metadata, images: pd.DataFrame) -> Metadata:
    """The facts with a name for the split, so that networks are not judged on what they learned from."""
    labelled = images.loc[images["split"] != "unlabelled", ["image_id", "split", "fold"]].sort_values("image_id")
    digest = hashlib.sha256(labelled.to_csv(index=False).encode("utf-8", "surrogateescape")).hexdigest()
    return dataclasses.replace(metadata, split=digest[:16])


def truth_rows(filled: Iterable[Filled]) -> Iterator[tuple[str, str, str]]:
    """(image_id, class_name, RLE at the output shape), one per mask that is not empty."""
    for one in filled:
        for class_name, rle in one.rles.items():
            yield one.image_id, class_name, rle
