"""Settings of `synthesize` and `prepare`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from nephoscope.settings.section import PositiveShape, Section, Share

FormatName = Literal["clouds", "severstal"]


class Synthesize(Section):
    format: FormatName = Field("clouds", description="format of the data set that is drawn")
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
    format: FormatName = Field("clouds", description="format of the data set")
    problems: Literal["refuse", "set_aside"] = Field(
        "refuse",
        description="images and rows with problems. refuse: list them and stop; set_aside: list and omit them",
    )
    cache_shape: PositiveShape = Field((128, 192), description="(height, width) of the images in the cache")
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
    def _shares_and_folds_are_possible(self) -> Self:
        if self.validation_share + self.holdout_share >= 1:
            raise ValueError("validation_share + holdout_share must stay below 1, or nothing is left to train on")
        if self.folds == 1:
            raise ValueError("folds: 1 is no division; write 0 for one split, or 2 or more")
        if self.folds_held_out is not None and self.folds_held_out > self.folds:
            raise ValueError(f"folds_held_out: {self.folds_held_out}, but there are {self.folds} folds")
        return self
