"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from pathlib import Path
from typing import Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from nephoscope.settings.section import FormatName, PositiveShape, Section, Share


class Synthesize(Section):
    format: FormatName = Field("clouds", description="layout in which the scenes are written")
    csv_layout: Literal["joined", "split"] = Field(
        "joined", description="steel only: one ImageId_ClassId column with four rows an image, or ImageId and ClassId"
    )
    labelled: int = Field(400, ge=1, description="scenes with labels")
    unlabelled: int = Field(24, ge=0, description="scenes without labels, for `submit`")
    shape: PositiveShape | None = Field(
        None, description="(height, width) of the pictures; null is the format's output shape. The RLE keeps its own"
    )
    seed: int = Field(0, ge=0, description="another seed draws other scenes")


class Prepare(Section):
    root: Path = Field(Path("artifacts/synthesize/dataset"), description="folder of the data set")
    format: FormatName = Field("clouds", description="how the folder is laid out")
    problems: Literal["refuse", "set_aside"] = Field(
        "refuse", description="stop at problematic pictures and rows, or set them aside and list them"
    )
    cache_shape: PositiveShape = Field(
        (128, 192), description="(height, width) at which pictures are kept for training"
    )
    validation_share: Share = Field(
        0.2,
        description="share of the labelled pictures that rules are tuned on; with folds those are, and this is unused",
    )
    holdout_share: Share = Field(0.2, description="share of the labelled pictures that figures are measured on")
    folds: int = Field(
        0, ge=0, description="0: one split; k >= 2: train and validation are pooled and refolded, a member per fold"
    )
    folds_held_out: int | None = Field(
        None,
        ge=1,
        description="only the first so many folds are held out, each from a member of its own, which saves training "
        "those of the others; every member learns from the rest. null: all folds",
    )
    duplicate_distance: int = Field(
        3,
        ge=-1,
        le=64,
        description="pictures whose 64-bit hashes differ in at most so many bits stay on one side; -1: off",
    )
    seed: int = Field(0, description="another seed splits otherwise")

    @property
    def held_out(self) -> int:
        """Folds that a member of their own never sees; 0 without folds."""
        return self.folds if self.folds_held_out is None else self.folds_held_out

    @model_validator(mode="after")
    def _shares_leave_train(self) -> Self:
        if self.validation_share + self.holdout_share >= 1:
            raise ValueError("validation_share + holdout_share must stay below 1, or nothing is left to train on")
        if self.folds == 1:
            raise ValueError("folds: 1 is no folding; say 0 for one split or k >= 2")
        if self.folds_held_out is not None and self.folds_held_out > self.folds:
            raise ValueError(f"folds_held_out: {self.folds_held_out}, but there are {self.folds} folds")
        return self
