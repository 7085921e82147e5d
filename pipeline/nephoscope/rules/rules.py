"""What a rule is: the thresholds of a class, the calibrations around them, and the file that holds them."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nephoscope.artifacts import refuse_earlier_version, require_artifact
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.settings.section import Precision

Levels = npt.NDArray[np.uint8]
"""Probabilities as round(255·p), at the output shape."""
Level = Annotated[int, Field(ge=1, le=255)]
Flip = Literal["none", "horizontal", "vertical", "both"]
NEVER = 2.0
"""A presence threshold that no presence reaches."""
LARGEST_AREA = 2**31 - 1
LARGEST_SIDE = 100_000
"""Pixels."""
Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]


class Rule(BaseModel):
    """The decision for one class. Thresholds and areas compare with >=; areas are pixels at the output shape."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    presence_threshold: float = Field(ge=0)
    pixel_threshold: Level
    min_area: int = Field(ge=0, le=LARGEST_AREA)
    """A component with fewer pixels is dropped."""


class Calibration(BaseModel):
    """Score → sigmoid(slope · logit(score) + intercept). The default changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    slope: float = 1.0
    intercept: float = 0.0


class InferenceSettings(BaseModel):
    """How the networks are run. Rules are valid only for the settings that they were tuned with."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    flips: tuple[Flip, ...] = Field(("none",), min_length=1)
    """Views of an image; their probabilities are averaged."""
    top_fraction: float = Field(0.1, gt=0, le=1)
    """Share of the visible pixels, highest probability first, whose mean is the presence score of the segmenter."""
    classifiers: int | None = Field(None, ge=1)
    """Number of classifiers that are run, in the order of training; None: all."""
    segmenters: int | None = Field(None, ge=1)
    precision: Precision = "fp32"
    """Of the networks' arithmetic, on every device and in every engine."""


class Rules(BaseModel):
    """Everything between raw probabilities and masks, for all classes in the order of `classes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    classes: tuple[str, ...] = Field(min_length=1)
    output_shape: tuple[Side, Side]
    inference_settings: InferenceSettings
    classifier_weight: float = Field(ge=0, le=1)
    """Weight of the classifier in the fused presence; the rest is the weight of the top-fraction mean."""
    classifier_calibrations: tuple[Calibration, ...]
    top_fraction_calibrations: tuple[Calibration, ...]
    force_top_class: bool = False
    """If no class of an image is present, make the most probable class present."""
    adaptive_power: float = Field(0, ge=0)
    """The pixel threshold is multiplied by (top-fraction mean of the image) ** power; 0: unchanged."""
    presence_calibrations: tuple[Calibration, ...] | None = None
    """Fused presence → probability that the class is present. Decisions do not depend on it."""
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _every_class_has_one_of_each(self) -> Self:
        per_class = {
            "classifier_calibrations": self.classifier_calibrations,
            "top_fraction_calibrations": self.top_fraction_calibrations,
            "presence_calibrations": self.presence_calibrations,
            "rules": self.rules,
        }
        for name, values in per_class.items():
            if values is not None and len(values) != len(self.classes):
                raise ValueError(f"{name}: {len(values)} for {len(self.classes)} classes")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the rules, to cite them. fp32 is left out, so that rules without a precision keep theirs."""
        default = {"inference_settings": {"precision"}} if self.inference_settings.precision == "fp32" else None
        return hashlib.sha256(self.model_dump_json(exclude=default).encode()).hexdigest()

    def apply(self, maps: Any, presences: npt.ArrayLike | None = None, *, visible: Any = None) -> npt.NDArray[np.bool_]:
        """Maps of N images (N×C×H×W) → their masks (N×C×H×W); see `nephoscope.rules.decide.apply_rules`."""
        from nephoscope.rules.decide import apply_rules  # here, because that module imports this one

        return apply_rules(self, maps, presences, visible=visible)


def read_rules(path: Path, way_out: str = "run `python -m stages.tune` again") -> Rules:
    """The rules in a rules.json; a UserError with the way out if there are none."""
    require_artifact(path, "tune")
    content: Any = None
    try:
        content = read_json(path)
        return Rules.model_validate(content)
    except ValueError as error:
        refuse_earlier_version(content, path, way_out)
        raise UserError(f"{path} holds no rules ({_reason(error)}); {way_out}") from None


def _reason(error: ValueError) -> str:
    """The first problem, in a few words."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))
