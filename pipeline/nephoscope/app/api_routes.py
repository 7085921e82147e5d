"""JSON API for programs: send an image, get masks and presence. Nothing is stored."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from nephoscope.app.scenes import Placing, read_upload
from nephoscope.app.schemas import ErrorResponse, HealthResponse, PredictionResponse, prediction_response
from nephoscope.app.state import AppState
from nephoscope.app.uploads import StatedPlace, read_file, to_image_id

Name = Annotated[str, Query(max_length=200, description="image_id of the response, unless a form names its file")]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY["schema"]}}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _FORM, "image/jpeg": _BINARY, "image/png": _BINARY, "image/tiff": _BINARY},
    }
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        401: "the token is missing or wrong; only if the server has one",
        408: "the upload is too slow",
        411: "a form without Content-Length",
        413: "too many bytes or too many pixels",
        415: "not a readable JPEG, PNG or TIFF",
        422: "an empty file; an image that is truncated, too small or entirely black; a place that is not clear",
        503: "too many images wait, or too many connections are open; try again after the seconds of Retry-After",
    }.items()
}


def api_routes(state: AppState) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/predict", openapi_extra=BODY, responses=ERRORS)
    async def predict(request: Request, placing: StatedPlace, name: Name = "") -> PredictionResponse:
        """Patterns of an image and their masks. Send a JPEG, PNG or GeoTIFF as the body, or as `file` of a form."""
        file_name, content = await read_file(request, state.max_megabytes)
        return await state.pool.run(_predictor(state), content, to_image_id(file_name or name), placing)

    @router.get("/health")
    def health() -> HealthResponse:
        """Whether the server is ready, and which model it uses."""
        classes = list(state.rules.classes)
        return HealthResponse(status="ok", version=version("nephoscope"), model=state.fingerprint, classes=classes)

    return router


def _predictor(state: AppState) -> Callable[[bytes, str, Placing], PredictionResponse]:
    def predict(content: bytes, image_id: str, placing: Placing) -> PredictionResponse:
        picture = read_upload(state.model, state.rules, content, image_id, placing)
        return prediction_response(state.decide_by(picture, state.rules), state.fingerprint, picture.notes)

    return predict
