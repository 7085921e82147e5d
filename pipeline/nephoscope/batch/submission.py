"""The competition's file: one row per image and class, images sorted, RLE at the output shape."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nephoscope.data.formats import Format
from nephoscope.files import atomic_write
from nephoscope.masks.rle import Shape, decode_rle, encode_rle
from nephoscope.names import cell

Masks = npt.NDArray[np.bool_]


class SubmissionError(RuntimeError):
    """The written file differs from what it should hold: a bug."""


def write_submission(path: Path, data_format: Format, images: Iterable[tuple[str, Masks]]) -> int:
    """(image_id, masks C×H×W) in sorted order → the file, which is read back; returns the number of images."""
    image_ids = []
    with atomic_write(path) as unfinished:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(data_format.submission_columns)
            for image_id, masks in images:
                image_ids.append(image_id)
                writer.writerows(submission_rows(data_format, image_id, map(encode_rle, masks)))
        check_submission(unfinished, data_format, image_ids, data_format.output_shape)
    return len(image_ids)


def submission_rows(data_format: Format, image_id: str, rles: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The rows of an image, from an RLE per class."""
    for class_name, rle in zip(data_format.classes, rles, strict=True):
        yield data_format.submission_row(cell(image_id), class_name, rle)


def check_submission(path: Path, data_format: Format, image_ids: Sequence[str], shape: Shape) -> None:
    """Read a submission back: columns, order, number of rows, and every RLE within the shape."""
    import pandas as pd  # only here, so that predicting starts quickly; the csv module limits the length of a field

    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    columns = data_format.submission_columns
    if tuple(table.columns) != columns:
        raise SubmissionError(f"{path}: found columns {list(table.columns)}, expected {list(columns)}")
    ordered, classes = sorted(image_ids), data_format.classes
    expected = [data_format.submission_row(cell(image_id), name, "")[:-1] for image_id in ordered for name in classes]
    if list(table.iloc[:, :-1].itertuples(index=False, name=None)) != expected:
        raise SubmissionError(f"{path}: {len(table)} rows, expected {len(expected)}, sorted by image and class")
    for rle in table.iloc[:, -1]:
        decode_rle(rle, shape)
