"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from nephoscope.settings.section import Areas, Levels, Searched, Section, Share

FamilyName = Literal["pixel", "area", "presence", "hysteresis", "core"]


class Tune(Section):
    presence: Literal["classifier", "pixels", "both"] = Field("both", description="what presence is read from")
    classifier_weight: Share | Searched = Field(
        "searched", description="both only: share of the classifier in the fused presence"
    )
    calibrate: bool = Field(True, description="fit a logistic calibration of presence per class")
    family: FamilyName | Searched = Field(
        "searched",
        description="pixel: pixel threshold alone; area: + minimum area; presence: + presence threshold; "
        "hysteresis: that + a high threshold; core: that + a core. searched: cross-fitting decides",
    )
    adaptive_power: Annotated[float, Field(ge=0)] | Searched = Field(
        "searched",
        description="how far pixel, high and core thresholds follow a picture's own strongest pixels: threshold × "
        "strongest ** this; 0: not at all",
    )
    force_top_class: bool | Searched = Field(
        "searched", description="where no class passes its presence threshold, the strongest does"
    )
    pixel_thresholds: Levels = Field(tuple(range(1, 256)), description="levels tried")
    min_areas: Areas | Literal["every"] = Field(
        tuple(range(0, 30_001, 250)), description="areas tried; every: whatever area a component has (slow)"
    )
    high_thresholds: Levels = Field(tuple(range(100, 251, 15)), description="levels tried, beside no high threshold")
    core_thresholds: Levels = Field(tuple(range(100, 241, 20)), description="levels tried")
    core_areas: Areas = Field((100, 300, 1000, 2000, 4000, 8000, 16000), description="areas tried, beside no core")
    shrinkage: Share = Field(
        0.5, description="how far the calibrated presence threshold of a class moves towards the classes' mean"
    )
    objective: Literal["dice", "f_beta"] = Field("dice", description="f_beta: of presence first, then Dice")
    beta: float = Field(1.0, gt=0, description="f_beta only: above 1 recall counts more")
    min_precision: dict[str, Share] = Field({}, description="of presence, by class name; `every` is all others")
    min_recall: dict[str, Share] = Field({}, description="of presence, by class name; `every` is all others")
    folds: int = Field(5, ge=3, description="of the cross-fitted estimate")
    resamples: int = Field(200, ge=1, description="of the pictures, behind the intervals of thresholds")
    bootstrap: int = Field(2000, ge=1, description="resamples of the pictures behind the intervals of Dice")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    seed: int = Field(0, ge=0, description="of folds and resamples")

    @model_validator(mode="after")
    def _forcing_breaks_no_constraint(self) -> Self:
        if self.force_top_class is True and (self.objective != "dice" or self.min_precision or self.min_recall):
            raise ValueError("force_top_class: true, but a class forced present breaks what a goal bounds; say false")
        return self

    @field_validator("pixel_thresholds", "min_areas", "high_thresholds", "core_thresholds", "core_areas")
    @classmethod
    def _ascending(cls, values: tuple[int, ...] | str) -> tuple[int, ...] | str:
        return values if isinstance(values, str) else tuple(sorted(set(values)))


class Evaluate(Section):
    bootstrap: int = Field(2000, ge=1, description="resamples of the pictures behind every interval")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    seed: int = Field(0, ge=0, description="of the resamples")
