"""The competition's file: one row per picture and class, pictures sorted, RLE at the output shape; read back."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.formats import Format
from nephoscope.files import atomic_write
from nephoscope.masks.rle import Shape, decode_rle, encode_rle

Masks = npt.NDArray[np.bool_]


class SubmissionError(RuntimeError):
    """What was written is not what was meant."""


def write_submission(path: Path, format_: Format, images: Iterable[tuple[str, Masks]]) -> int:
    """(image_id, masks C×H×W) in sorted order → the file; returns how many pictures it holds."""
    image_ids = []
    with atomic_write(path) as unfinished:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(format_.submission_columns)
            for image_id, masks in images:
                image_ids.append(image_id)
                writer.writerows(submission_rows(format_, image_id, map(encode_rle, masks)))
        check_submission(unfinished, format_, image_ids, format_.output_shape)
    return len(image_ids)


def submission_rows(format_: Format, image_id: str, rles: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """A picture's rows, from an RLE per class."""
    for class_name, rle in zip(format_.classes, rles, strict=True):
        yield format_.submission_row(image_id, class_name, rle)


def check_submission(path: Path, format_: Format, image_ids: Sequence[str], shape: Shape) -> None:
    """Read a submission back: columns, order, count, and every RLE within the shape."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(table.columns) != format_.submission_columns:
        raise SubmissionError(f"{path}: columns {list(table.columns)}, expected {list(format_.submission_columns)}")
    ordered = sorted(image_ids)
    expected = [format_.submission_row(image_id, name, "")[:-1] for image_id in ordered for name in format_.classes]
    found = list(table.iloc[:, :-1].itertuples(index=False, name=None))
    if found != expected:
        raise SubmissionError(f"{path}: {len(found)} rows, expected {len(expected)}, by sorted picture and class")
    for rle in table.iloc[:, -1]:
        decode_rle(rle, shape)
