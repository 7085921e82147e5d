"""What programs read: one JSON object a line on standard output."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from nephoscope.batch.pictures import Record
from nephoscope.batch.result import class_results, image_id_of
from nephoscope.data.formats import Format


def write_line(event: str, **content: Any) -> None:
    typer.echo(json.dumps({"event": event, **content}))


@contextmanager
def write_progress(done: int, total: int) -> Iterator[Callable[[int], object]]:
    """A line at the beginning, and whenever more is done."""

    def advance(count: int) -> None:
        nonlocal done
        done += count
        write_line("progress", done=done, total=total)

    advance(0)
    yield advance


def write_pictures(pictures: Iterator[Record], format: Format) -> None:  # noqa: A002
    """A line a picture: its classes, or what is wrong with it."""
    for one in pictures:
        if one.problem:
            write_line("problem", image_id=image_id_of(one), problem=one.problem)
        else:
            classes = [asdict(told) for told in class_results(one, format)]
            write_line("picture", image_id=image_id_of(one), visible_share=round(one.visible_share, 4), classes=classes)


def write_rows(event: str, table: Path, wanted: Callable[[dict[str, str]], bool] = lambda _: True) -> None:
    """A line for every row of a CSV that is wanted."""
    with table.open(encoding="utf-8", newline="") as file:
        for row in filter(wanted, csv.DictReader(file)):
            write_line(event, **{key: float(value) if key == "presence" else value for key, value in row.items()})
