"""The shards of a finished run → one table of all pictures each: submission, summary, problems, COCO's annotations."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import cv2
import numpy as np

from nephoscope.batch.pictures import Record
from nephoscope.batch.result import ClassResult, class_results, image_id_of
from nephoscope.batch.shards import UNFINISHED, Plan, read_shards
from nephoscope.batch.storage import open_storage
from nephoscope.batch.submission import submission_rows
from nephoscope.evaluation.calibration import UNSURE_MARK
from nephoscope.masks.rle import Shape, decode_rle, parse_runs
from nephoscope.settings.choices import Output

PROBLEM_COLUMNS = ("image_id", "problem")
SUMMARY_COLUMNS = ("image_id", "class_name", "presence", "present", "confidence", "mark", "area_share", "visible_share")
Writer = Callable[[Sequence[Any]], object]


def merge_shards(plan: Plan) -> tuple[int, int]:
    """Writes what the plan, or an earlier one of the same pictures, asks for; how many pictures were read, and how many
    were not."""
    if is_wanted(plan, "submission", "submission.csv"):
        with table_writer(plan, "submission.csv", plan.format.submission_columns) as row:
            for one in read_readable(plan):
                for cells in submission_rows(plan.format, image_id_of(one), one.rles):
                    row(cells)
    if is_wanted(plan, "coco", "coco.json"):
        with whole_file(plan, "coco.json") as file:
            write_coco(plan, file)
    with table_writer(plan, "summary.csv", SUMMARY_COLUMNS) as row:
        for one in read_readable(plan):
            for told in class_results(one, plan.format):
                mark = UNSURE_MARK if told.unsure else ""
                figures = (told.presence, told.confidence, told.area_share, one.visible_share)
                presence, confidence, *shares = (f"{figure:.4f}" for figure in figures)
                row((image_id_of(one), told.class_name, presence, int(told.present), confidence, mark, *shares))
    with table_writer(plan, "problems.csv", PROBLEM_COLUMNS) as row:
        counts: Counter[bool] = Counter()
        for one in read_shards(plan):
            counts[bool(one.problem)] += 1
            if one.problem:
                row((image_id_of(one), one.problem))
    return counts[False], counts[True]


def is_wanted(plan: Plan, output: Output, name: str) -> bool:
    """A table of an earlier run would contradict the others, where pictures were done again."""
    files, folder = open_storage(plan.out)
    return output in plan.outputs or bool(files.exists(f"{folder}/{name}"))


def read_class_results(plan: Plan) -> Iterator[tuple[str, ClassResult]]:
    """image_id and what is told of a class, for all pictures that could be read."""
    for one in read_readable(plan):
        yield from ((image_id_of(one), told) for told in class_results(one, plan.format))


def read_readable(plan: Plan) -> Iterator[Record]:
    return (one for one in read_shards(plan) if not one.problem)


def write_coco(plan: Plan, file: IO[str]) -> None:
    """Annotations as COCO has them, an annotation per mask that is not empty, in flat memory.

    A mask has the output shape, whatever the size of the picture, and so has what is listed as its image.
    """
    shape, classes = plan.format.output_shape, plan.format.classes
    images = (
        {"id": index, "file_name": image_id_of(one), "height": shape[0], "width": shape[1]}
        for index, one in enumerate(read_readable(plan), 1)
    )
    masks = ((index, told) for index, told in enumerate(read_class_results(plan)) if told[1].rle)
    annotations = (
        {
            "id": number,
            "image_id": index // len(classes) + 1,
            "category_id": index % len(classes) + 1,
            **to_coco(told.rle, shape),
            "score": told.presence,
        }
        for number, (index, (_, told)) in enumerate(masks, 1)
    )
    categories = [{"id": index, "name": name} for index, name in enumerate(classes, 1)]
    file.write('{"categories": ' + json.dumps(categories))
    for name, entries in (("images", images), ("annotations", annotations)):
        file.write(f',\n"{name}": [')
        file.writelines(_separated(map(json.dumps, entries)))
        file.write("]")
    file.write("}\n")


def to_coco(rle: str, shape: Shape) -> dict[str, Any]:
    """The same runs as COCO counts them: how many pixels are off, on, off, …, column by column.

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
        "bbox": list(cv2.boundingRect(decode_rle(rle, shape).view(np.uint8))),
        "iscrowd": 0,
    }


def _separated(entries: Iterable[str]) -> Iterator[str]:
    for index, entry in enumerate(entries):
        yield f",\n{entry}" if index else entry


@contextmanager
def table_writer(plan: Plan, name: str, columns: Sequence[str]) -> Iterator[Writer]:
    """Takes row after row."""
    with whole_file(plan, name) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield writer.writerow


@contextmanager
def whole_file(plan: Plan, name: str) -> Iterator[IO[str]]:
    """A file of the run's folder that appears once it is whole."""
    files, folder = open_storage(plan.out)
    unfinished = f"{folder}/{UNFINISHED}{name}"
    # A file's name may be no UTF-8.
    with files.open(unfinished, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file
    files.mv(unfinished, f"{folder}/{name}")
