"""What a format is: classes, shapes, how its CSV is laid out, and how a submission row is written."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from nephoscope.masks.rle import Shape

LABELLED_FOLDER = "train_images"
UNLABELLED_FOLDER = "test_images"
LABELS_FILE = "train.csv"


@dataclass(frozen=True)
class Layout:
    """The columns of a CSV: one key column `<image_id>_<class_name>` or two key columns, then the RLE."""

    columns: tuple[str, ...]
    every_class: bool
    """True: a picture has one row per class, empty or not. False: only masks that are not empty have a row."""

    def keys(self, table: pd.DataFrame) -> pd.DataFrame:
        """The CSV's own columns → image_id, class_name, rle; a key without "_" has the class_name ""."""
        *keys, rle = (table[column].str.strip() for column in self.columns)
        if len(keys) == 1:
            parts = keys[0].str.extract(r"(?s)^(?P<image_id>.*?)(?:_(?P<class_name>[^_]*))?$")
            keys = [parts["image_id"], parts["class_name"].fillna("")]
        return pd.DataFrame({"image_id": keys[0], "class_name": keys[1], "rle": rle})

    def row(self, image_id: str, class_name: str, rle: str) -> tuple[str, ...]:
        """One row as this layout writes it.

        >>> Layout(("Image_Label", "EncodedPixels"), every_class=True).row("0031ae9.jpg", "Fish", "3 2")
        ('0031ae9.jpg_Fish', '3 2')
        """
        return (f"{image_id}_{class_name}", rle) if len(self.columns) == 2 else (image_id, class_name, rle)


@dataclass(frozen=True)
class HumanDice:
    """How well annotators agree with each other, where they were asked twice."""

    union: float
    """The union of three annotators against the union of three others: how the truth was made."""
    single: float
    """One annotator against another."""
    per_class: Mapping[str, float]
    """Union against union."""


@dataclass(frozen=True)
class Format:
    name: str
    classes: tuple[str, ...]
    rle_shape: Shape
    """The shape in which its RLE is written, whatever the size of the pictures."""
    output_shape: Shape
    layouts: tuple[Layout, ...]
    """Every layout in which its CSV was published; the first is also the submission's."""
    nodata: bool
    """True: black regions are places that nobody saw. False: black is part of the picture."""
    human_dice: HumanDice | None = None

    @property
    def submission_columns(self) -> tuple[str, ...]:
        return self.layouts[0].columns

    def submission_row(self, image_id: str, class_name: str, rle: str) -> tuple[str, ...]:
        """One row of a submission; rows go by sorted image_id, then by the order of the classes."""
        return self.layouts[0].row(image_id, class_name, rle)
