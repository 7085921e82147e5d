"""Truth that a visitor uploads as CSV."""

import tempfile
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path

import numpy as np

from nephoscope.app.errors import RequestError
from nephoscope.app.pictures import Masks
from nephoscope.data.formats import LABELS_FILE, Format
from nephoscope.data.labels import read_labels
from nephoscope.data.problems import DataProblemsError, Problem
from nephoscope.masks.geometry import resize_mask
from nephoscope.masks.rle import RleError, Runs, Shape, decode_rle, parse_runs

SHOWN = 3  # names or problems in a message
MAX_LINES = 100_000
"""The file of the competition has 22,185. While a line is read, it takes hundreds of times its size in memory."""


def read_truth(content: bytes, data_format: Format, image_id: str) -> Masks:
    """Bytes of a CSV → masks (C×H×W) at the output shape, with the checks of stage `prepare`.

    RLE is at the format's rle_shape, or at the output shape as in submissions. If the CSV holds a single image, its
    name does not matter.
    """
    lines = content.count(b"\n") + content.count(b"\r")
    if lines > MAX_LINES:
        message = f"the CSV has {lines} lines, more than the limit of {MAX_LINES}; keep only the rows of your images"
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    problems: list[Problem] = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / LABELS_FILE).write_bytes(content)
        try:
            table = read_labels(Path(folder), data_format, problems).table
        except DataProblemsError as error:
            raise _to_error(error.problems) from None
    name = _find_name(list(dict.fromkeys(table["image_id"])), image_id)
    problems = [problem for problem in problems if problem.image_id in (name, None)]
    if problems:
        raise _to_error(problems)
    rows = table[table["image_id"] == name]
    rles = dict(zip(rows["class_name"], rows["rle"], strict=True))
    shape = find_shape(table["rle"], data_format)
    masks = (decode_rle(rles.get(class_name, ""), shape) for class_name in data_format.classes)
    return np.stack([resize_mask(mask, data_format.output_shape) for mask in masks])


def _find_name(names: list[str], image_id: str) -> str:
    """Names in the CSV → the one that belongs to the image."""
    if len(names) == 1:
        return names[0]
    if image_id not in names:
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        message = f"the CSV has no row for {image_id}; it holds {len(names)} images: {shown}"
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
    return image_id


def find_shape(rles: Iterable[str], data_format: Format) -> Shape:
    """The shape of a CSV's RLE: the output shape if all runs fit into it, otherwise rle_shape.

    A CSV at the larger rle_shape nearly always has runs beyond the pixel count of the output shape.
    """
    ends = [int(starts[-1] + lengths[-1]) for starts, lengths in _runs(rles, data_format) if starts.size]
    height, width = data_format.output_shape
    return data_format.output_shape if ends and max(ends) <= height * width else data_format.rle_shape


def _runs(rles: Iterable[str], data_format: Format) -> Iterator[Runs]:
    for rle in rles:
        try:
            yield parse_runs(rle, data_format.rle_shape)
        except RleError:  # of another image: the rows of this one have been checked
            continue


def _to_error(problems: list[Problem]) -> RequestError:
    text = "; ".join(
        problem.message if problem.row is None else f"line {problem.row}: {problem.message}"
        for problem in problems[:SHOWN]
    )
    return RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the truth cannot be read: {text[:400]}")
