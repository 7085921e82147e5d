"""JSON API for programs: send an image, get masks and presence. Nothing is stored."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from nephoscope.app.decisions import Decision
from nephoscope.app.pictures import predict_content
from nephoscope.app.schemas import ErrorResponse, HealthResponse, PredictionResponse, prediction_response
from nephoscope.app.state import AppState
from nephoscope.app.uploads import read_file, to_image_id

Name = Annotated[str, Query(max_length=200, description="image_id of the response, unless a form names its file")]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY["schema"]}}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _FORM, "image/jpeg": _BINARY, "image/png": _BINARY},
    }
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        411: "a form without Content-Length",
        413: "too many bytes or too many pixels",
        415: "not a readable JPEG or PNG",
        422: "an empty file, or an image that is truncated, too small or entirely black",
        503: "too many images are waiting; try again after the seconds of Retry-After",
    }.items()
}


def api_routes(state: AppState) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/predict", openapi_extra=BODY, responses=ERRORS)
    async def predict(request: Request, name: Name = "") -> PredictionResponse:
        """Patterns of an image and their masks. Send a JPEG or PNG as the body, or as `file` of a form."""
        file_name, content = await read_file(request, state.max_megabytes)
        return await state.pool.run(_predictor(state), content, to_image_id(file_name or name))

    @router.get("/health")
    def health() -> HealthResponse:
        """Whether the server is ready, and which model it uses."""
        classes = list(state.rules.classes)
        return HealthResponse(status="ok", version=version("nephoscope"), model=state.fingerprint, classes=classes)

    return router


def _predictor(state: AppState) -> Callable[[bytes, str], PredictionResponse]:
    def predict(content: bytes, image_id: str) -> PredictionResponse:
        prediction, _ = predict_content(state.model, content)
        return prediction_response(image_id, Decision(prediction, state.rules), state.fingerprint)

    return predict
