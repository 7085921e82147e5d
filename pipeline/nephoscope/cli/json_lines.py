"""Output for programs: one JSON object per line on standard output, each with its `event`."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import typer

from nephoscope.batch.record import Record, class_results
from nephoscope.batch.storage import find_pictures
from nephoscope.data.formats import Format
from nephoscope.names import cell


def write_line(event: str, **content: Any) -> None:
    typer.echo(json.dumps({"event": event, **content}))


@contextmanager
def write_progress(done: int, total: int) -> Iterator[Callable[[int], object]]:
    """A line at the beginning, and one whenever more images are done."""

    def advance(count: int) -> None:
        nonlocal done
        done += count
        write_line("progress", done=done, total=total)

    advance(0)
    yield advance


def write_records(records: Iterator[Record], data_format: Format) -> None:
    """A line per image: the figures of its classes, or its problem."""
    for record in records:
        if record.problem:
            write_line("problem", image_id=record.image_id, problem=record.problem)
        else:
            classes = [asdict(result) for result in class_results(record, data_format)]
            write_line("image", image_id=record.image_id, visible_share=round(record.visible_share, 4), classes=classes)


def write_heat_maps(pictures: Sequence[str], folder: Path, class_names: Sequence[str]) -> None:
    """A line per heat map of these images and classes (none: all), and per problem. The folder may hold others, too."""
    image_ids = (PurePosixPath(address).name for address in find_pictures(pictures))
    wanted = {cell(image_id) for image_id in image_ids}
    for row in _read_rows(folder / "summary.csv"):
        if row["image_id"] in wanted and (not class_names or row["class_name"] in class_names):
            write_line("heat_map", **{**row, "presence": float(row["presence"])})
    for row in _read_rows(folder / "problems.csv"):
        write_line("problem", **row)


def _read_rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
