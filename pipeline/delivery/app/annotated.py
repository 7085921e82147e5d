"""Truth from a CSV in the competition's layout, for a picture that a visitor brought."""

import tempfile
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path

import numpy as np

from pipeline.data.faults import DataFaults, Fault
from pipeline.data.format import LABELS_FILE, Format
from pipeline.data.labels import read_labels
from pipeline.delivery.app.reading import Masks
from pipeline.delivery.app.refusal import RefusalError
from pipeline.masks.geometry import resize_mask
from pipeline.masks.rle import RleError, Runs, Shape, decode_rle, parse_runs

LISTED = 3
MOST_LINES = 100_000
"""The competition's own file has 22,185. Every line costs hundreds of times its bytes while it is read."""


def read_truth(content: bytes, data_format: Format, image_id: str) -> Masks:
    """The bytes of a CSV → masks (C×H×W) at the judged shape, read as `prepare` does.

    Its RLE is at the format's rle_shape, or at the judged shape, as submissions have it. A CSV of one picture alone
    belongs to whatever the visitor calls it.
    """
    lines = content.count(b"\n") + content.count(b"\r")
    if lines > MOST_LINES:
        message = (
            f"the CSV has {lines} lines, and {MOST_LINES} are the most allowed; take out the rows of your pictures"
        )
        raise RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    faults: list[Fault] = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / LABELS_FILE).write_bytes(content)
        try:
            table = read_labels(Path(folder), data_format, faults).table
        except DataFaults as error:
            raise _refuse(error.faults) from None
    known = list(dict.fromkeys(table["image_id"]))
    name = known[0] if len(known) == 1 else image_id
    if name not in known:
        listed = ", ".join(known[:LISTED]) + (", …" if len(known) > LISTED else "")
        message = f"the CSV has no row for {image_id}; it holds {len(known)} pictures: {listed}"
        raise RefusalError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
    mine = [fault for fault in faults if fault.image_id in (name, None)]
    if mine:
        raise _refuse(mine)
    rows = table[table["image_id"] == name]
    rles = dict(zip(rows["class_name"], rows["rle"], strict=True))
    shape = find_shape(table["rle"], data_format)
    masks = (decode_rle(rles.get(one, ""), shape) for one in data_format.classes)
    return np.stack([resize_mask(mask, data_format.judged_shape) for mask in masks])


def find_shape(rles: Iterable[str], data_format: Format) -> Shape:
    """In which of its two shapes a CSV was written: nothing drawn at the larger ends within the pixels of the smaller,
    which are its first columns alone."""
    ends = [int(starts[-1] + lengths[-1]) for starts, lengths in _runs(rles, data_format) if starts.size]
    height, width = data_format.judged_shape
    return data_format.judged_shape if ends and max(ends) <= height * width else data_format.rle_shape


def _runs(rles: Iterable[str], data_format: Format) -> Iterator[Runs]:
    for rle in rles:
        try:
            yield parse_runs(rle, data_format.rle_shape)
        except RleError:  # of a picture that nobody asks for; one's own was checked before
            continue


def _refuse(faults: list[Fault]) -> RefusalError:
    first = faults[:LISTED]
    told = "; ".join(fault.message if fault.row is None else f"line {fault.row}: {fault.message}" for fault in first)
    return RefusalError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the truth cannot be read: {told[:400]}")
