"""Schemas of the JSON responses."""

from typing import Any

from pydantic import BaseModel, Field

from nephoscope.app.curves import Point
from nephoscope.app.decisions import Decision
from nephoscope.masks.rle import Shape, encode_rle
from nephoscope.rules.rules import Rules


class ClassPresence(BaseModel):
    """The same values as in a row of summary.csv of `nephoscope predict`."""

    class_name: str
    presence: float = Field(description="probability that the class is present")
    confidence: float = Field(description="probability that the decision about presence is right")
    unsure: bool = Field(description="true if the confidence is below two thirds")
    present: bool = Field(
        description="decision about presence; the mask may still be empty if all its components are too small"
    )
    area_share: float = Field(description="share of the image that the mask covers")


class ClassPrediction(ClassPresence):
    rle: str = Field(description='mask as "start length …" at `shape`, 1-based, column-major; "" is an empty mask')


class ClassDecision(ClassPresence):
    score: float = Field(description="value that is compared with the presence threshold")
    outline: str = Field(description="mask as an SVG path, in pixels of the output shape")
    dice: float | None = Field(description="against truth, if there is any")
    pixel_point: Point | None = Field(description="point of this pixel threshold on the PR curve of the run")
    presence_point: Point | None = Field(description="point of this presence threshold on the PR curve of the run")


class PredictionResponse(BaseModel):
    image_id: str
    shape: Shape = Field(description="(height, width) of the masks")
    visible_share: float = Field(description="share of the image that is not nodata")
    model: str = Field(description="fingerprint of the model")
    classes: list[ClassPrediction]


class HealthResponse(BaseModel):
    status: str
    version: str
    model: str = Field(description="fingerprint of the model")
    classes: list[str]


class ErrorResponse(BaseModel):
    error: str


class ListedPicture(BaseModel):
    id: str
    image_id: str


class ClassState(BaseModel):
    class_name: str
    colour: str


class PageState(BaseModel):
    classes: list[ClassState]
    output_shape: Shape
    rules: Rules
    max_megabytes: float
    pictures: list[ListedPicture]
    has_run: bool


class PictureResponse(ListedPicture):
    truth: list[str] | None = Field(description="one outline per class")
    truth_shares: list[float] | None
    invisible: str = Field(description="outline of the nodata pixels")


class DecisionResponse(BaseModel):
    classes: list[ClassDecision]
    mean_dice: float | None


def presence_fields(decision: Decision) -> list[dict[str, Any]]:
    """The fields of ClassPresence, one dict per class."""
    presence = decision.presence
    columns = [
        array[0].tolist() for array in (presence.probability, presence.confidence, presence.unsure, presence.present)
    ]
    area_shares = decision.masks.mean(axis=(1, 2)).tolist()
    rows = zip(decision.rules.classes, *columns, area_shares, strict=True)
    return [dict(zip(ClassPresence.model_fields, row, strict=True)) for row in rows]


def prediction_response(image_id: str, decision: Decision, model: str) -> PredictionResponse:
    classes = [
        ClassPrediction(**fields, rle=encode_rle(mask))
        for fields, mask in zip(presence_fields(decision), decision.masks, strict=True)
    ]
    return PredictionResponse(
        image_id=image_id,
        shape=decision.rules.output_shape,
        visible_share=decision.prediction.visible.mean(),
        model=model,
        classes=classes,
    )
