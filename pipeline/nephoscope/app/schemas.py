"""Schemas of the JSON responses."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from nephoscope.app.curves import Point
from nephoscope.app.decisions import Decision
from nephoscope.earth.grid import Bounds
from nephoscope.earth.scene import Place
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
    score: float | None = Field(description="value that is compared with the presence threshold, if there is only one")
    outline: str = Field(description="mask as an SVG path, in cells of the picture's `shape`")
    dice: float | None = Field(description="against truth, if there is any")
    pixel_point: Point | None = Field(description="point of this pixel threshold on the PR curve of the run")
    presence_point: Point | None = Field(description="point of this presence threshold on the PR curve of the run")


class PlaceResponse(BaseModel):
    """The masks are on a regular grid of longitude and latitude, north up, within these bounds."""

    bounds: Bounds = Field(description="[west, south, east, north] in degrees; east may exceed 180")
    time: str | None = Field(description="UTC, ISO 8601")
    sensor: str | None = Field(description="such as MODIS Aqua")
    source_crs: str | None = Field(description="of the file, if it is another one than longitude and latitude")


class PredictionResponse(BaseModel):
    image_id: str
    shape: Shape = Field(description="(height, width) of the masks")
    place: PlaceResponse | None = Field(description="where and when the image was seen; null if that is not known")
    notes: list[str] = Field(description="how the image was read, and where the model was not validated")
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
    shape: Shape = Field(description="(height, width) in which outlines are drawn")
    place: PlaceResponse | None
    notes: list[str]
    has_fixed_rules: bool = Field(description="true for a scene of several windows, which only the tuned rules decide")
    has_heat: bool = Field(description="whether heat maps can be drawn")
    has_output_shape: bool = Field(description="whether the masks have the output shape, as truth and submissions do")


class DecisionResponse(BaseModel):
    classes: list[ClassDecision]
    mean_dice: float | None


def presence_fields(decision: Decision) -> list[dict[str, Any]]:
    """The fields of ClassPresence, one dict per class."""
    result = decision.result
    columns = [array.tolist() for array in (result.presence, result.confidence, result.unsure, result.present)]
    area_shares = decision.masks.mean(axis=(1, 2)).tolist()
    rows = zip(decision.rules.classes, *columns, area_shares, strict=True)
    return [dict(zip(ClassPresence.model_fields, row, strict=True)) for row in rows]


def place_response(place: Place | None) -> PlaceResponse | None:
    if place is None:
        return None
    west, south, east, north = (round(edge, 9) for edge in place.grid.bounds)
    return PlaceResponse(
        bounds=(west, south, east, north),
        time=None if place.time is None else f"{place.time.astype('datetime64[s]')}Z",
        sensor=place.sensor or None,
        source_crs=None if place.source_grid is None else place.source_grid.crs,
    )


def prediction_response(decision: Decision, model: str, notes: Sequence[str] = ()) -> PredictionResponse:
    classes = [
        ClassPrediction(**fields, rle=encode_rle(mask))
        for fields, mask in zip(presence_fields(decision), decision.masks, strict=True)
    ]
    return PredictionResponse(
        image_id=decision.result.image_id,
        shape=decision.result.visible.shape,
        place=place_response(decision.result.place),
        notes=list(notes),
        visible_share=decision.result.visible.mean(),
        model=model,
        classes=classes,
    )
