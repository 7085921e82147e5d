"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
)

from nephoscope.settings.section import Machine, Section, _differ


class Predict(Section):
    flips: Annotated[tuple[Literal["none", "horizontal", "vertical", "both"], ...], AfterValidator(_differ)] = Field(
        ("none", "horizontal"), min_length=1, description="views of a picture whose probabilities are averaged"
    )
    top_fraction: float = Field(
        0.1, gt=0, le=1, description="share of the visible pixels, strongest first, whose mean speaks for presence"
    )
    classifiers: int | None = Field(
        None, ge=1, description="so many, the first of those trained, see a new picture and are exported; null: all"
    )
    segmenters: int | None = Field(None, ge=1, description="the same for segmenters")
    batch_size: int = Field(16, ge=1, description="pictures computed at once")
    machine: Machine = Machine()


class Explain(Section):
    worst: int = Field(
        3, ge=0, description="errors of presence that get a heat map, per class: misses and false alarms"
    )
    machine: Machine = Machine()


class Submit(Section):
    batch_size: int = Field(16, ge=1, description="pictures computed at once")
    machine: Machine = Machine()


class Export(Section):
    tolerance: float = Field(1e-3, gt=0, description="largest allowed difference of a probability from torch")
    half: bool = Field(False, description="keep weights in 16 bits, half the size; tolerance is then against those")
    checked_pictures: int = Field(16, ge=1, description="pictures on which the exported models are compared with torch")
    licence: str = Field("", description="said on the model card: under which terms the weights are, whom to cite")
