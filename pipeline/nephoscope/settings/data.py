"""Settings of `synthesize` and `prepare`."""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, PositiveFloat, model_validator

from nephoscope.settings.section import NoRepeats, PositiveShape, Section, Share

Synthetic = Literal["clouds", "severstal"]
FormatName = Literal["clouds", "severstal", "boxes", "coco", "masks"]
OWN = ("labels", "classes", "label_shape", "output_shape", "nodata", "ground_size")
"""Settings of formats whose classes and shapes are not fixed."""


class Synthesize(Section):
    format: Synthetic = Field("clouds", description="format of the data set that is drawn")
    csv_layout: Literal["joined", "split"] = Field(
        "joined",
        description="severstal only. joined: one column ImageId_ClassId, four rows per image; "
        "split: two columns, ImageId and ClassId",
    )
    labelled: int = Field(400, ge=1, description="number of images with labels")
    unlabelled: int = Field(24, ge=0, description="number of images without labels, for `submit`")
    shape: PositiveShape | None = Field(
        None, description="(height, width) of the images; null: the format's output shape. RLE has the format's shape"
    )
    seed: int = Field(0, ge=0, description="random seed of the scenes")


class Prepare(Section):
    root: Path = Field(Path("artifacts/synthesize/dataset"), description="folder of the data set")
    format: FormatName = Field(
        "clouds",
        description="format of the data set. boxes, coco, masks: classes and shapes are those of your data "
        "(docs/own-data.md)",
    )
    labels: Path | None = Field(
        None,
        description="boxes, coco, masks: file or folder of the labels, in `root`; "
        "null: boxes.csv, annotations.json or masks",
    )
    classes: Annotated[tuple[str, ...], NoRepeats] | None = Field(
        None,
        description="boxes, coco, masks: classes to learn, in this order; labels of others are left out. "
        "null: all classes of the labels",
    )
    label_shape: PositiveShape | None = Field(
        None, description="boxes: (height, width) in whose pixels boxes are; null: those of each image"
    )
    output_shape: PositiveShape | None = Field(
        None,
        description="boxes, coco, masks: (height, width) at which masks are decided and scored; "
        "null: the aspect of the images, with about 350×525 pixels in all",
    )
    nodata: bool | None = Field(
        None,
        description="boxes, coco, masks: true if black regions were not observed; null: true for boxes, else false",
    )
    ground_size: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None,
        description="boxes, coco, masks: (height, width) of an image in degrees; "
        "null: images have no fixed size on Earth",
    )
    problems: Literal["refuse", "set_aside"] = Field(
        "refuse",
        description="images and rows with problems. refuse: list them and stop; set_aside: list and omit them",
    )
    cache_shape: PositiveShape | None = Field(
        None,
        description="(height, width) of the images in the cache. null: 128×192; for boxes, coco and masks a shape of "
        "this size with the aspect of the output shape",
    )
    validation_share: Share = Field(
        0.2, description="share of the labelled images for tuning the rules; not used with folds"
    )
    holdout_share: Share = Field(0.2, description="share of the labelled images for the final evaluation")
    folds: int = Field(
        0,
        ge=0,
        description="0: one split. k >= 2: train and validation are pooled and divided into k folds; "
        "one member is trained per fold, and the rules are tuned on the held-out folds",
    )
    folds_held_out: int | None = Field(
        None,
        ge=1,
        description="number of folds that get a member of their own; the other folds are only trained on, "
        "which saves time. null: all folds",
    )
    duplicate_distance: int = Field(
        3,
        ge=-1,
        le=64,
        description="images are near duplicates if their 64-bit hashes differ in at most this many bits; "
        "near duplicates stay in one split. -1: off",
    )
    seed: int = Field(0, description="random seed of the split")

    @property
    def held_out(self) -> int:
        """Number of folds that have a member of their own; 0 without folds."""
        return self.folds if self.folds_held_out is None else self.folds_held_out

    @model_validator(mode="after")
    def _combinations_are_possible(self) -> Self:
        if self.format in get_args(Synthetic):
            given = [name for name in OWN if getattr(self, name) is not None]
            if given:
                raise ValueError(f"{', '.join(given)}: only for boxes, coco and masks; {self.format} has its own")
        if self.label_shape is not None and self.format != "boxes":
            raise ValueError(f"label_shape: only for boxes; the labels of {self.format} have their own shapes")
        if self.validation_share + self.holdout_share >= 1:
            raise ValueError("validation_share + holdout_share must stay below 1, or nothing is left to train on")
        if self.folds == 1:
            raise ValueError("folds: 1 is no division; write 0 for one split, or 2 or more")
        if self.folds_held_out is not None and self.folds_held_out > self.folds:
            raise ValueError(f"folds_held_out: {self.folds_held_out}, but there are {self.folds} folds")
        return self
