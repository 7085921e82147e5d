"""What a request carries, read within bounds: a raw body, or a file in a form."""

import tempfile
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path, PureWindowsPath

import numpy as np
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from nephoscope.app.decisions import Move
from nephoscope.app.errors import RequestError
from nephoscope.app.pictures import Masks
from nephoscope.data.formats import LABELS_FILE, Format
from nephoscope.data.labels import read_labels
from nephoscope.data.problems import DataProblemsError, Problem
from nephoscope.masks.geometry import resize_mask
from nephoscope.masks.rle import RleError, Runs, Shape, decode_rle, parse_runs

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
        raise RequestError(HTTPStatus.LENGTH_REQUIRED, "a form says how long it is (Content-Length)")
    if int(length) > round(megabytes * MEGABYTE) + FORM_EXTRA:
        await read_body(request, megabytes)  # refuses, once enough of it has come
    async with request.form(max_files=1, max_fields=8) as form:
        files = [one for one in form.values() if isinstance(one, UploadFile)]
        if not files:
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "the form holds no file; expected one picture")
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
        raise RequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the file is larger than {megabytes:g} MB, the most allowed"
        )
    if not size:
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "the file is empty")
    return content


LISTED = 3
MOST_LINES = 100_000
"""The competition's own file has 22,185. Every line costs hundreds of times its bytes while it is read."""


def read_truth(content: bytes, data_format: Format, image_id: str) -> Masks:
    """The bytes of a CSV → masks (C×H×W) at the output shape, read as `prepare` does.

    Its RLE is at the format's rle_shape, or at the output shape, as submissions have it. A CSV of one picture alone
    belongs to whatever the visitor calls it.
    """
    lines = content.count(b"\n") + content.count(b"\r")
    if lines > MOST_LINES:
        message = (
            f"the CSV has {lines} lines, and {MOST_LINES} are the most allowed; take out the rows of your pictures"
        )
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    problems: list[Problem] = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / LABELS_FILE).write_bytes(content)
        try:
            table = read_labels(Path(folder), data_format, problems).table
        except DataProblemsError as error:
            raise _refuse(error.problems) from None
    known = list(dict.fromkeys(table["image_id"]))
    name = known[0] if len(known) == 1 else image_id
    if name not in known:
        listed = ", ".join(known[:LISTED]) + (", …" if len(known) > LISTED else "")
        message = f"the CSV has no row for {image_id}; it holds {len(known)} pictures: {listed}"
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
    mine = [problem for problem in problems if problem.image_id in (name, None)]
    if mine:
        raise _refuse(mine)
    rows = table[table["image_id"] == name]
    rles = dict(zip(rows["class_name"], rows["rle"], strict=True))
    shape = find_shape(table["rle"], data_format)
    masks = (decode_rle(rles.get(one, ""), shape) for one in data_format.classes)
    return np.stack([resize_mask(mask, data_format.output_shape) for mask in masks])


def find_shape(rles: Iterable[str], data_format: Format) -> Shape:
    """In which of its two shapes a CSV was written: nothing drawn at the larger ends within the pixels of the smaller,
    which are its first columns alone."""
    ends = [int(starts[-1] + lengths[-1]) for starts, lengths in _runs(rles, data_format) if starts.size]
    height, width = data_format.output_shape
    return data_format.output_shape if ends and max(ends) <= height * width else data_format.rle_shape


def _runs(rles: Iterable[str], data_format: Format) -> Iterator[Runs]:
    for rle in rles:
        try:
            yield parse_runs(rle, data_format.rle_shape)
        except RleError:  # of a picture that nobody asks for; one's own was checked before
            continue


def _refuse(problems: list[Problem]) -> RequestError:
    first = problems[:LISTED]
    told = "; ".join(
        problem.message if problem.row is None else f"line {problem.row}: {problem.message}" for problem in first
    )
    return RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the truth cannot be read: {told[:400]}")
