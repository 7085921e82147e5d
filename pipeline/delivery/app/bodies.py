"""What a request carries, read within bounds: a raw body, or a file in a form."""

from http import HTTPStatus
from pathlib import PureWindowsPath

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from pipeline.delivery.app.deciding import Move
from pipeline.delivery.app.refusal import RefusalError

MEGABYTE = 1_000_000
PATIENCE = 4
"""Times the bound that are read and thrown away, so that a browser hears the refusal and not a broken connection."""
FORM_EXTRA = 10_000
"""Bytes that the form itself may take around its file."""
MOVES_MEGABYTES = 0.1
"""A rule a class: some hundred bytes each."""


class Moved(BaseModel):
    rules: list[Move]


async def read_body(request: Request, megabytes: float) -> bytes:
    """The raw body; one that is empty or too large is refused."""
    most = round(megabytes * MEGABYTE)
    content, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            content += chunk
        else:
            content.clear()
        if size > PATIENCE * most:
            break
    return _checked(bytes(content), size, megabytes)


async def read_file(request: Request, megabytes: float) -> tuple[str, bytes]:
    """A raw body, or the only file of a form → its name ("" where it has none) and its content."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return "", await read_body(request, megabytes)
    # A form is read into a file on disk, not into memory: only its length needs a bound beforehand.
    length = request.headers.get("content-length", "")
    if not length.isdigit() or "transfer-encoding" in request.headers:
        raise RefusalError(HTTPStatus.LENGTH_REQUIRED, "a form says how long it is (Content-Length)")
    if int(length) > round(megabytes * MEGABYTE) + FORM_EXTRA:
        await read_body(request, megabytes)  # refuses, once enough of it has come
    async with request.form(max_files=1, max_fields=8) as form:
        files = [one for one in form.values() if isinstance(one, UploadFile)]
        if not files:
            raise RefusalError(HTTPStatus.UNPROCESSABLE_ENTITY, "the form holds no file; expected one picture")
        if (files[0].size or 0) > round(megabytes * MEGABYTE):
            _checked(b"", files[0].size or 0, megabytes)
        content = await files[0].read()
        return files[0].filename or "", _checked(content, len(content), megabytes)


async def read_moves(request: Request) -> list[Move]:
    """Rules as JSON. FastAPI would read a body of any size before it looks at anything else."""
    content = await read_body(request, MOVES_MEGABYTES)
    try:
        return Moved.model_validate_json(content).rules
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None


def to_image_id(name: str) -> str:
    """The last part of a file's name, wherever it comes from.

    >>> to_image_id("C:\\\\pictures/clouds.jpg")
    'clouds.jpg'
    """
    return PureWindowsPath(name).name or "picture"


def _checked(content: bytes, size: int, megabytes: float) -> bytes:
    if size > round(megabytes * MEGABYTE):
        raise RefusalError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the file is larger than {megabytes:g} MB, the most allowed"
        )
    if not size:
        raise RefusalError(HTTPStatus.UNPROCESSABLE_ENTITY, "the file is empty")
    return content
