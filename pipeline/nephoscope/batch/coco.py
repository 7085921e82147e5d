"""Masks as annotations in COCO's format: one JSON file for all images, with an annotation per mask."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from nephoscope.batch.record import Record, class_results
from nephoscope.batch.storage import atomic_open
from nephoscope.data.formats import Format
from nephoscope.masks.rle import Shape, parse_runs


@contextmanager
def write_coco(
    address: str, data_format: Format, info: Mapping[str, str] | None = None
) -> Iterator[Callable[[Record], object]]:
    """A file that takes records one by one and appears once it is complete. `info`: the provenance.

    COCO lists images first. Annotations wait in a temporary file, so memory stays constant.
    """
    categories = [{"id": number, "name": name} for number, name in enumerate(data_format.classes, 1)]
    with atomic_open(address) as file, TemporaryFile("w+", encoding="utf-8") as annotations:
        file.write(f'{{"info": {json.dumps(dict(info or {}))},\n"categories": {json.dumps(categories)},\n"images": [')
        yield _Writer(file, annotations, data_format)
        file.write('],\n"annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write("]}\n")


class _Writer:
    """Images and annotations are numbered from 1. An image has the shape of its masks."""

    def __init__(self, images: IO[str], annotations: IO[str], data_format: Format) -> None:
        self._images, self._annotations, self._format = images, annotations, data_format
        self._image_count = self._annotation_count = 0

    def __call__(self, record: Record) -> None:
        if record.problem:
            return
        height, width = record.shape
        separator = ",\n" if self._image_count else ""
        self._image_count += 1
        image = {"id": self._image_count, "file_name": record.image_id, "height": height, "width": width}
        self._images.write(separator + json.dumps(image))
        for number, result in enumerate(class_results(record, self._format), 1):
            if result.rle:
                self._annotate(number, result.rle, record.shape, result.presence)

    def _annotate(self, category_id: int, rle: str, shape: Shape, score: float) -> None:
        separator = ",\n" if self._annotation_count else ""
        self._annotation_count += 1
        ids = {"id": self._annotation_count, "image_id": self._image_count, "category_id": category_id}
        annotation = {**ids, **to_coco(rle, shape), "score": score}
        self._annotations.write(separator + json.dumps(annotation))


def to_coco(rle: str, shape: Shape) -> dict[str, Any]:
    """The same runs in COCO's code: numbers of pixels that are off, on, off, …, column by column.

    >>> to_coco("2 1 4 1", (2, 2))["segmentation"]
    {'size': [2, 2], 'counts': [1, 1, 1, 1]}
    """
    starts, lengths = parse_runs(rle, shape)
    edges = np.stack([starts, starts + lengths], 1).ravel()
    counts = np.diff(edges, prepend=0, append=shape[0] * shape[1])
    counts = counts[:-1] if counts[-1] == 0 else counts
    return {
        "segmentation": {"size": list(shape), "counts": counts.tolist()},
        "area": int(lengths.sum()),
        "bbox": bounding_box(starts, lengths, shape[0]),
        "iscrowd": 0,
    }


def bounding_box(starts: np.ndarray, lengths: np.ndarray, height: int) -> list[int]:
    """Runs down the columns of an image of this height → [left, top, width, height] in pixels."""
    ends = starts + lengths - 1
    left, right = int(starts[0]) // height, int(ends[-1]) // height
    # A run that goes on in the next column holds the last row of one and the first row of the other.
    wraps = bool((starts // height != ends // height).any())
    top, bottom = (0, height - 1) if wraps else (int((starts % height).min()), int((ends % height).max()))
    return [left, top, right - left + 1, bottom - top + 1]
