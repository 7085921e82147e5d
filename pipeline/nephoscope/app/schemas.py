"""What the server answers, as JSON."""

from typing import Any

from pydantic import BaseModel, Field

from nephoscope.app.curves import Point
from nephoscope.app.decisions import Decision
from nephoscope.masks.rle import Shape, encode_rle
from nephoscope.rules.rules import Rules


class ClassPresence(BaseModel):
    """The same figures as a row of predict's summary.csv."""

    class_name: str
    presence: float = Field(description="the chance that the class is there")
    confidence: float = Field(description="the chance that the decision whether it is there is right")
    unsure: bool = Field(description="whether the confidence is below two thirds")
    present: bool = Field(description="the decision; the mask may still be empty, where all components are too small")
    area_share: float = Field(description="share of the picture that the mask covers")


class ClassPrediction(ClassPresence):
    rle: str = Field(description='the mask as "start length …" at the shape, 1-based, column-major; "" is empty')


class ClassShown(ClassPresence):
    score: float = Field(description="what is compared with the presence threshold")
    outline: str = Field(description="the mask as an SVG path, in pixels of the output shape")
    dice: float | None = Field(description="against truth, where it is known")
    pixel_point: Point | None = Field(description="on the run's PR curve of pixels, at this pixel threshold")
    presence_point: Point | None = Field(description="on the run's PR curve of presence, at this presence threshold")


class PredictionResponse(BaseModel):
    image_id: str
    shape: Shape = Field(description="(height, width) of the masks")
    visible_share: float = Field(description="share of the picture that somebody saw")
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
    truth: list[str] | None = Field(description="an outline per class")
    truth_shares: list[float] | None
    unseen: str = Field(description="outline of what nobody saw")


class ShownResponse(BaseModel):
    classes: list[ClassShown]
    mean_dice: float | None


def presence_schemas(decision: Decision) -> list[dict[str, Any]]:
    """The fields of ClassPresence, per class."""
    presence = decision.decision
    of_picture = (
        rows[0].tolist() for rows in (presence.probability, presence.confidence, presence.unsure, presence.present)
    )
    each = zip(decision.rules.classes, *of_picture, decision.masks.mean(axis=(1, 2)).tolist(), strict=True)
    return [dict(zip(ClassPresence.model_fields, row, strict=True)) for row in each]


def prediction_schema(image_id: str, decision: Decision, model: str) -> PredictionResponse:
    each = zip(presence_schemas(decision), decision.masks, strict=True)
    classes = [ClassPrediction(**fields, rle=encode_rle(mask)) for fields, mask in each]
    return PredictionResponse(
        image_id=image_id,
        shape=decision.rules.output_shape,
        visible_share=decision.prediction.visible.mean(),
        model=model,
        classes=classes,
    )
