"""For programs: a picture in, masks and presences out; nothing is kept."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from nephoscope.app.decisions import Decision
from nephoscope.app.pictures import predict_content
from nephoscope.app.schemas import ErrorResponse, HealthResponse, PredictionResponse, prediction_schema
from nephoscope.app.state import AppState
from nephoscope.app.uploads import read_file, to_image_id

Name = Annotated[str, Query(max_length=200, description="image_id in the answer; a form's file has its own name")]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY["schema"]}}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _FORM, "image/jpeg": _BINARY, "image/png": _BINARY},
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    411: {"model": ErrorResponse, "description": "a form that does not say how long it is"},
    413: {"model": ErrorResponse, "description": "too many bytes, or too many pixels"},
    415: {"model": ErrorResponse, "description": "no picture that can be read"},
    422: {
        "model": ErrorResponse,
        "description": "an empty file, or a picture that breaks off, is too small or black all over",
    },
    503: {"model": ErrorResponse, "description": "too many pictures wait; Retry-After says for how long to"},
}


def program_routes(state: AppState) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/predict", openapi_extra=BODY, responses=REFUSALS)
    async def predict(request: Request, name: Name = "") -> PredictionResponse:
        """Which patterns a picture shows, and where: a JPEG or PNG as the body, or as `file` in a form."""
        file_name, content = await read_file(request, state.max_megabytes)
        return await state.pool.run(_predictor(state), content, to_image_id(file_name or name))

    @router.get("/health")
    def health() -> HealthResponse:
        """Whether the server answers, and which model it has."""
        classes = list(state.rules.classes)
        return HealthResponse(status="ok", version=version("nephoscope"), model=state.fingerprint, classes=classes)

    return router


def _predictor(state: AppState) -> Callable[[bytes, str], PredictionResponse]:
    def predict(content: bytes, image_id: str) -> PredictionResponse:
        prediction, _ = predict_content(state.model, content)
        return prediction_schema(image_id, Decision(prediction, state.rules), state.fingerprint)

    return predict
