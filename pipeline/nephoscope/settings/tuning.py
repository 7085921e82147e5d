"""Settings of `tune` and `evaluate`."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from nephoscope.settings.section import Areas, Levels, Searched, Section, Share

FamilyName = Literal["pixel", "area", "presence"]
CONFIDENCE = "confidence level of every interval"


class Tune(Section):
    presence: Literal["classifier", "pixels", "both"] = Field(
        "both", description="source of the presence: the classifier, the top fraction of the pixels, or both"
    )
    classifier_weight: Share | Searched = Field(
        "searched", description="both only: weight of the classifier in the fused presence; the pixels have the rest"
    )
    calibrate: bool = Field(True, description="fit a logistic calibration of presence per class")
    family: FamilyName | Searched = Field(
        "searched",
        description="parts of a rule. pixel: pixel threshold; area: + minimum area; presence: + presence threshold; "
        "searched: cross-fitting chooses",
    )
    adaptive_power: Annotated[float, Field(ge=0)] | Searched = Field(
        "searched",
        description="the pixel threshold is multiplied by (mean of the image's top fraction) ** power; "
        "0: the same threshold for all images",
    )
    force_top_class: bool | Searched = Field(
        "searched", description="if no class reaches its presence threshold, the most probable class is present"
    )
    pixel_thresholds: Levels = Field(tuple(range(1, 256)), description="levels that are tried")
    min_areas: Areas | Literal["every"] = Field(
        tuple(range(0, 30_001, 250)), description="areas that are tried; every: each area that a component has (slow)"
    )
    shrinkage: Share = Field(
        0.5, description="how far presence thresholds shrink towards the mean of all classes. 0: not at all; 1: equal"
    )
    objective: Literal["dice", "f_beta"] = Field(
        "dice", description="what is maximised. f_beta: F-beta of presence first, then Dice"
    )
    beta: float = Field(1.0, gt=0, description="f_beta only: above 1 weighs recall more than precision")
    min_precision: dict[str, Share] = Field(
        {}, description="lowest precision of presence per class name; `every` is all other classes"
    )
    min_recall: dict[str, Share] = Field(
        {}, description="lowest recall of presence per class name; `every` is all other classes"
    )
    folds: int = Field(5, ge=3, description="folds of the cross-fitted estimate")
    resamples: int = Field(200, ge=1, description="bootstrap resamples behind the intervals of thresholds")
    bootstrap: int = Field(2000, ge=1, description="bootstrap resamples behind the intervals of Dice")
    confidence: float = Field(0.95, gt=0, lt=1, description=CONFIDENCE)
    seed: int = Field(0, ge=0, description="random seed of folds and resamples")

    @model_validator(mode="after")
    def _forcing_breaks_no_constraint(self) -> Self:
        if self.force_top_class is True and (self.objective != "dice" or self.min_precision or self.min_recall):
            raise ValueError(
                "force_top_class: true conflicts with objective, min_precision and min_recall, because a forced class "
                "ignores its threshold; write force_top_class: false"
            )
        return self

    @field_validator("pixel_thresholds", "min_areas")
    @classmethod
    def _ascending(cls, values: tuple[int, ...] | str) -> tuple[int, ...] | str:
        return values if isinstance(values, str) else tuple(sorted(set(values)))


class Evaluate(Section):
    bootstrap: int = Field(2000, ge=1, description="bootstrap resamples behind every interval")
    confidence: float = Field(0.95, gt=0, lt=1, description=CONFIDENCE)
    seed: int = Field(0, ge=0, description="random seed of the resamples")
