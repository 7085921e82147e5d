"""The formats of data sets: classes, shapes, CSV columns and submission rows.

FORMATS has data sets with fixed classes and shapes. A data set of your own gets them from its labels, see `own_format`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nephoscope.data.class_names import check_class_names
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

if TYPE_CHECKING:  # imported where a table is read: predicting starts faster without it
    import pandas as pd

LABELLED_FOLDER = "train_images"
UNLABELLED_FOLDER = "test_images"
LABELS_FILE = "train.csv"


@dataclass(frozen=True)
class Layout:
    """Columns of a CSV: one key column `<image_id>_<class_name>` or two key columns, then the RLE."""

    columns: tuple[str, ...]
    every_class: bool
    """True: an image has a row for every class, even for empty masks. False: only masks that are not empty have one."""

    def keys(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """The CSV's own columns → image_id, class_name, rle; a key without "_" has the class_name ""."""
        *keys, rle = (table[column].str.strip() for column in self.columns)
        if len(keys) == 1:
            parts = keys[0].str.extract(r"(?s)^(?P<image_id>.*?)(?:_(?P<class_name>[^_]*))?$")
            keys = [parts["image_id"], parts["class_name"].fillna("")]
        import pandas as pd

        return pd.DataFrame({"image_id": keys[0], "class_name": keys[1], "rle": rle})

    def row(self, image_id: str, class_name: str, rle: str) -> tuple[str, ...]:
        """One row in this layout.

        >>> Layout(("Image_Label", "EncodedPixels"), every_class=True).row("0031ae9.jpg", "Fish", "3 2")
        ('0031ae9.jpg_Fish', '3 2')
        """
        return (f"{image_id}_{class_name}", rle) if len(self.columns) == 2 else (image_id, class_name, rle)


@dataclass(frozen=True)
class HumanDice:
    """Agreement between human annotators, as mean Dice."""

    union: float
    """Union of three annotators against the union of three others. The truth is such a union."""
    single: float
    """One annotator against another."""
    per_class: Mapping[str, float]
    """Class name → Dice of union against union."""


@dataclass(frozen=True)
class Format:
    name: str
    classes: tuple[str, ...]
    rle_shape: Shape
    """Shape of the RLE, for images of any size."""
    output_shape: Shape
    layouts: tuple[Layout, ...]
    """Layouts in which the CSV was published. The first is also the layout of submissions."""
    nodata: bool
    """True: black regions are invisible (nodata). False: black is part of the image."""
    human_dice: HumanDice | None = None
    ground_size: tuple[float, float] | None = None
    """(height, width) of an image in degrees of latitude and longitude; None: images have no fixed size on Earth."""

    @property
    def submission_columns(self) -> tuple[str, ...]:
        return self.layouts[0].columns

    def submission_row(self, image_id: str, class_name: str, rle: str) -> tuple[str, ...]:
        """One row of a submission. Rows are sorted by image_id, then by the order of the classes."""
        return self.layouts[0].row(image_id, class_name, rle)


CLOUDS = Format(
    name="clouds",
    classes=("Fish", "Flower", "Gravel", "Sugar"),
    rle_shape=(1400, 2100),
    output_shape=(350, 525),
    layouts=(Layout(("Image_Label", "EncodedPixels"), every_class=True),),
    nodata=True,  # the black strip between two orbits
    # Computed from the practice annotations of 66 scientists.
    human_dice=HumanDice(
        union=0.584,
        single=0.628,
        per_class={"Fish": 0.536, "Flower": 0.736, "Gravel": 0.541, "Sugar": 0.525},
    ),
    ground_size=(14.0, 21.0),
)
"""Kaggle's "Understanding Clouds from Satellite Images": four overlapping patterns of shallow clouds."""

SEVERSTAL = Format(
    name="severstal",
    classes=("1", "2", "3", "4"),
    rle_shape=(256, 1600),
    output_shape=(256, 1600),
    layouts=(
        Layout(("ImageId_ClassId", "EncodedPixels"), every_class=True),
        Layout(("ImageId", "ClassId", "EncodedPixels"), every_class=False),
    ),
    nodata=False,  # black marks the end of the plate and may be predicted
)
"""Kaggle's "Severstal: Steel Defect Detection": four kinds of defects on rolled steel."""

FORMATS: dict[str, Format] = {data_format.name: data_format for data_format in (CLOUDS, SEVERSTAL)}
OWN_FORMATS = ("boxes", "coco", "masks")
"""Layouts of data sets whose classes and shapes are their own."""
OWN_LAYOUT = Layout(("image_id", "class_name", "rle"), every_class=False)
"""Of the CSV that predictions for such data sets are written to."""


def own_format(
    name: str,
    classes: tuple[str, ...],
    rle_shape: Shape,
    output_shape: Shape,
    nodata: bool,
    ground_size: tuple[float, float] | None = None,
) -> Format:
    """The format of a data set with its own classes and shapes; `rle_shape` is that of its images. Raises UserError."""
    if name not in OWN_FORMATS:
        raise UserError(f"the format {name!r} is unknown; known are {', '.join((*FORMATS, *OWN_FORMATS))}")
    check_class_names(classes)
    return Format(name, classes, rle_shape, output_shape, (OWN_LAYOUT,), nodata, None, ground_size)
