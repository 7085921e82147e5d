"""Output for programs: one JSON object per line on standard output, each with its `event`."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from nephoscope.batch.record import Record, class_results
from nephoscope.data.formats import Format


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
            write_line(
                "picture", image_id=record.image_id, visible_share=round(record.visible_share, 4), classes=classes
            )


def write_rows(event: str, table: Path, wanted: Callable[[dict[str, str]], bool] = lambda _: True) -> None:
    """A line per wanted row of a CSV file."""
    with table.open(encoding="utf-8", newline="") as file:
        for row in filter(wanted, csv.DictReader(file)):
            write_line(event, **{key: float(value) if key == "presence" else value for key, value in row.items()})
