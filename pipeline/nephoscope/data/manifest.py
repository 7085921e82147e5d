"""The manifest: the metadata of a data set and the table of its images, in the order of the cache."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from nephoscope.artifacts import refuse_earlier_version, require_artifact
from nephoscope.data.formats import FORMATS, Format, own_format
from nephoscope.errors import UserError
from nephoscope.files import atomic_write, read_json, write_json
from nephoscope.masks.rle import Shape

if TYPE_CHECKING:  # imported where a table is read: predicting starts faster without it
    import pandas as pd

Split = Literal["train", "validation", "holdout", "unlabelled"]
SPLITS: tuple[Split, ...] = ("train", "validation", "holdout", "unlabelled")


@dataclass(frozen=True)
class Metadata:
    """Metadata of a data set. Every checkpoint and model folder contains it."""

    format: str
    classes: tuple[str, ...]
    rle_shape: Shape
    output_shape: Shape
    cache_shape: Shape
    folds: int = 0
    """Number of folds that have members of their own; 0: one split."""
    nodata: bool = True
    """True: black regions are invisible (`find_visible`). False: black is part of the image."""
    split: str = ""
    """Digest of the split and fold of every labelled image."""

    ground_size: tuple[float, float] | None = None
    """(height, width) of an image in degrees; None if images have no fixed size on Earth."""

    def __post_init__(self) -> None:
        if self.format in FORMATS:  # the size of these was never stored
            object.__setattr__(self, "ground_size", FORMATS[self.format].ground_size)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
        }
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        content = dataclasses.asdict(self)
        if self.format in FORMATS:
            del content["ground_size"]
        return content

    @property
    def data_format(self) -> Format:
        """The format of the data set, and of predictions for it; raises UserError if no version could have made it."""
        if self.format in FORMATS:
            return FORMATS[self.format]
        return own_format(self.format, self.classes, self.rle_shape, self.output_shape, self.nodata, self.ground_size)


@dataclass(frozen=True)
class Manifest:
    metadata: Metadata
    images: "pd.DataFrame"
    """A row per image. Columns: image_id, file (relative to the data set's root), split, fold (-1: none), group of near
    duplicates (-1: unlabelled), visible_share. One column `area_<class_name>` per class is the mask's share of all
    pixels; it is 0 without a mask."""

    def rows(self, *splits: Split) -> npt.NDArray[np.int64]:
        """Ascending rows (in images and cache) of these splits."""
        return np.flatnonzero(self.images["split"].isin(splits))

    def presence(self, rows: Sequence[int] | npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.bool_]:
        """Presence of every class (rows × C), according to the labels."""
        areas = self.images[[f"area_{name}" for name in self.metadata.classes]].to_numpy() > 0
        return areas if rows is None else areas[rows]

    def groups(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The group of near duplicates of these rows."""
        return self.images["group"].to_numpy(np.int64)[rows]

    def tuning_rows(self) -> npt.NDArray[np.int64]:
        """Rows for tuning: validation, or all held-out folds."""
        return np.flatnonzero(self.images["fold"] >= 0) if self.metadata.folds else self.rows("validation")

    def save(self, folder: Path) -> None:
        with atomic_write(folder / "images.csv") as unfinished:
            self.images.to_csv(unfinished, index=False)
        write_json(folder / "manifest.json", self.metadata.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        path = require_artifact(folder / "manifest.json", "prepare")
        try:
            content = read_json(path)
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); run `python -m stages.prepare` again") from None
        refuse_earlier_version(content, path, "run `python -m stages.prepare` again")
        import pandas as pd

        # An image_id such as "0012345" or "nan" is text.
        images = pd.read_csv(folder / "images.csv", dtype={"image_id": str, "file": str}, keep_default_na=False)
        if "group" not in images:
            raise UserError(f"{folder} was written by an earlier version; run `python -m stages.prepare` again")
        return cls(Metadata.from_dict(content), images)
