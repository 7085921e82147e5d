"""For programs: a picture in, masks and presences out; nothing is kept."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from nephoscope.app.decisions import Decision
from nephoscope.app.pictures import predict_content
from nephoscope.app.schemas import ErrorAnswer, HealthAnswer, PredictionAnswer, tell_prediction
from nephoscope.app.state import Desk
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
    411: {"model": ErrorAnswer, "description": "a form that does not say how long it is"},
    413: {"model": ErrorAnswer, "description": "too many bytes, or too many pixels"},
    415: {"model": ErrorAnswer, "description": "no picture that can be read"},
    422: {
        "model": ErrorAnswer,
        "description": "an empty file, or a picture that breaks off, is too small or black all over",
    },
    503: {"model": ErrorAnswer, "description": "too many pictures wait; Retry-After says for how long to"},
}


def program_routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/predict", openapi_extra=BODY, responses=REFUSALS)
    async def predict(request: Request, name: Name = "") -> PredictionAnswer:
        """Which patterns a picture shows, and where: a JPEG or PNG as the body, or as `file` in a form."""
        file_name, content = await read_file(request, desk.max_megabytes)
        return await desk.pool.run(_predictor(desk), content, to_image_id(file_name or name))

    @router.get("/health")
    def health() -> HealthAnswer:
        """Whether the server answers, and which model it has."""
        classes = list(desk.rules.classes)
        return HealthAnswer(status="ok", version=version("nephoscope"), model=desk.fingerprint, classes=classes)

    return router


def _predictor(desk: Desk) -> Callable[[bytes, str], PredictionAnswer]:
    def predict(content: bytes, image_id: str) -> PredictionAnswer:
        prediction, _ = predict_content(desk.model, content)
        return tell_prediction(image_id, Decision(prediction, desk.rules), desk.fingerprint)

    return predict
