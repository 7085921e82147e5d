"""Uploads: read a raw body, a file of a form, or rules, within bounds."""

from http import HTTPStatus
from pathlib import PureWindowsPath
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from nephoscope.app.decisions import RequestRule
from nephoscope.app.errors import RequestError
from nephoscope.app.scenes import Placing

MEGABYTE = 1_000_000
DISCARD_FACTOR = 4
"""Of a body that is too large, this many times the limit is read and discarded. A browser sends its body first; if the
connection closed earlier, it would report a broken connection and not the error message."""
FORM_EXTRA = 10_000
"""bytes of a form besides its file"""
RULES_MEGABYTES = 0.1
"""A rule takes a few hundred bytes."""


LONGEST_PLACE = 100
"""Characters of bounds or a time."""
LONGEST_IMAGE_ID = 180
"""Bytes in UTF-8."""


def _stated_place(
    bounds: Annotated[
        str, Query(max_length=LONGEST_PLACE, description="west,south,east,north in degrees, if the file has no place")
    ] = "",
    time: Annotated[str, Query(max_length=LONGEST_PLACE, description="ISO 8601, UTC, if the file states none")] = "",
) -> Placing:
    return Placing(bounds.strip(), time.strip())


StatedPlace = Annotated[Placing, Depends(_stated_place)]


class RequestRules(BaseModel):
    rules: list[RequestRule]


async def read_body(request: Request, megabytes: float) -> bytes:
    """The raw body; an error if it is empty or too large."""
    limit = _to_bytes(megabytes)
    content, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            content += chunk
        else:
            content.clear()
        if size > DISCARD_FACTOR * limit:
            break
    _check_size(size, megabytes)
    return bytes(content)


async def read_file(request: Request, megabytes: float) -> tuple[str, bytes]:
    """A raw body, or the file of a form → (name, content); the name of a raw body is ""."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return "", await read_body(request, megabytes)
    # The form parser has no size limit of its own, so the length must be known in advance.
    length = request.headers.get("content-length", "")
    if not length.isdigit() or "transfer-encoding" in request.headers:
        raise RequestError(HTTPStatus.LENGTH_REQUIRED, "a form must state its length (header Content-Length)")
    if int(length) > _to_bytes(megabytes) + FORM_EXTRA:
        await read_body(request, megabytes)  # raises the error
    async with request.form(max_files=1, max_fields=8) as form:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if not files:
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "the form contains no file; expected one image")
        _check_size(files[0].size or 0, megabytes)
        return files[0].filename or "", await files[0].read()


async def read_rules(request: Request) -> list[RequestRule]:
    """Rules as JSON. FastAPI would read a body of any size before it validates anything."""
    content = await read_body(request, RULES_MEGABYTES)
    try:
        return RequestRules.model_validate_json(content).rules
    except ValidationError as error:
        raise RequestValidationError(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        ) from None


def to_image_id(name: str) -> str:
    """Last part of a file name, from any operating system, without control characters.

    >>> to_image_id("C:\\\\pictures/clouds.jpg")
    'clouds.jpg'
    """
    printable = "".join(character for character in name if character.isprintable())
    # Downloads are files with longer names, and a name may have 255 bytes.
    return PureWindowsPath(printable).name.encode()[-LONGEST_IMAGE_ID:].decode(errors="ignore") or "picture"


def _check_size(size: int, megabytes: float) -> None:
    if size > _to_bytes(megabytes):
        raise RequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the file is larger than the limit of {megabytes:g} MB"
        )
    if not size:
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "the file is empty")


def _to_bytes(megabytes: float) -> int:
    return round(megabytes * MEGABYTE)
