"""Assembling a manifest: from pictures as they lie in the source to those that are kept, described and split."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.cache import Filled
from nephoscope.data.formats.definition import LABELLED_FOLDER, Format
from nephoscope.data.manifest import Facts
from nephoscope.data.problems import DataFaults, Fault, faulty_images, unlabelled_faults
from nephoscope.data.source import Source
from nephoscope.data.splits import Splits
from nephoscope.masks.rle import Shape


def make_facts(data_format: Format, cache_shape: Shape, held_out: int) -> Facts:
    return Facts(
        format=data_format.name,
        classes=data_format.classes,
        rle_shape=data_format.rle_shape,
        judged_shape=data_format.judged_shape,
        cache_shape=cache_shape,
        folds=held_out,
        nodata=data_format.nodata,
    )


def sound_rows(source: Source, faults: list[Fault], choice: Literal["refuse", "set_aside"]) -> npt.NDArray[np.int64]:
    """Rows of the source's pictures that are kept; raises DataFaults where the faults are to be refused."""
    faulty = source.pictures["image_id"].isin(faulty_images(faults, choice))
    # A row of the CSV asks for a labelled picture: the unlabelled one of that name is as sound as before.
    sound = ~faulty | ~source.pictures["labelled"] & ~source.pictures["image_id"].isin(unlabelled_faults(faults))
    if not (sound & source.pictures["labelled"]).any():
        faults.append(Fault("no_pictures", LABELLED_FOLDER, None, "every picture in it has a fault"))
        raise DataFaults(faults)
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


def name_split(facts: Facts, images: pd.DataFrame) -> Facts:
    """The facts with a name for the split, so that networks are not judged on what they learned from."""
    labelled = images.loc[images["split"] != "unlabelled", ["image_id", "split", "fold"]].sort_values("image_id")
    digest = hashlib.sha256(labelled.to_csv(index=False).encode("utf-8", "surrogateescape")).hexdigest()
    return dataclasses.replace(facts, split=digest[:16])


def truth_rows(filled: Iterable[Filled]) -> Iterator[tuple[str, str, str]]:
    """(image_id, class_name, RLE at the judged shape), one per mask that is not empty."""
    for one in filled:
        for class_name, rle in one.rles.items():
            yield one.image_id, class_name, rle
