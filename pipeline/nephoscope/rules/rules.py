"""The rule between the networks and the mask: `presences` and `decide`, the only ones there are.

Evaluation, submission, prediction and the app all call these two, so what is measured is what is delivered. Tuning
finds the Dice of what they would decide without drawing a mask; tests hold the two to the same figure.
"""

from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nephoscope.masks.rle import Shape

Levels = npt.NDArray[np.uint8]
Level = Annotated[int, Field(ge=1, le=255)]
Flip = Literal["none", "horizontal", "vertical", "both"]
NEVER = 2.0
"""A presence threshold that no presence reaches."""


class Rule(BaseModel):
    """How one class is decided. Thresholds and areas compare with >=; areas are pixels at the output shape."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    presence_threshold: float = Field(ge=0)
    pixel_threshold: Level
    min_area: int = Field(ge=0)
    high_threshold: Level | None = None
    core_threshold: Level | None = None
    core_area: int = Field(0, ge=0)


class Calibration(BaseModel):
    """A raw score → sigmoid(slope · logit(score) + intercept). The default leaves it as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    slope: float = 1.0
    intercept: float = 0.0


class InferenceSettings(BaseModel):
    """How raw numbers are read off the networks. Rules hold for the reading they were tuned on, and for no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    flips: tuple[Flip, ...] = Field(("none",), min_length=1)
    """Views of a picture whose probabilities are averaged."""
    top_fraction: float = Field(0.1, gt=0, le=1)
    """Share of the visible pixels, strongest first, whose mean speaks for presence."""
    classifiers: int | None = Field(None, ge=1)
    """So many, the first of those trained, see a new picture; None: all."""
    segmenters: int | None = Field(None, ge=1)


class Rules(BaseModel):
    """Everything between raw probabilities and masks, for all classes in the order of `classes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    classes: tuple[str, ...]
    output_shape: Shape
    inference_settings: InferenceSettings
    classifier_weight: float = Field(ge=0, le=1)
    """Share of the classifier in the fused presence; the rest is the strongest pixels'."""
    classifier_calibrations: tuple[Calibration, ...]
    top_fraction_calibrations: tuple[Calibration, ...]
    force_top_class: bool = False
    adaptive_power: float = Field(0, ge=0)
    """How far thresholds on pixels follow a picture's own strongest pixels: threshold × strongest ** this; 0: not."""
    chance_calibrations: tuple[Calibration, ...] | None = None
    """From the fused presence to the chance that the class is there; what is decided does not depend on it."""
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        given = ("chance_calibrations",) if self.chance_calibrations is not None else ()
        for name in ("classifier_calibrations", "top_fraction_calibrations", "rules", *given):
            if len(getattr(self, name)) != len(self.classes):
                raise ValueError(f"{name}: {len(getattr(self, name))} for {len(self.classes)} classes")
        return self
