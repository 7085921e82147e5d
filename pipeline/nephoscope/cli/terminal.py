"""Output for people at a terminal: progress, and a table of the results."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nephoscope.batch.record import ClassResult, Record, class_results
from nephoscope.data.formats import Format
from nephoscope.names import one_line

MAX_PROBLEMS = 20
"""Shown at the terminal; problems.csv has all of them."""


class Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self.unit}/s" if speed else "")


@contextmanager
def show_progress(
    done: int, total: int, doing: str = "predict", unit: str = "images"
) -> Iterator[Callable[[int], object]]:
    """A bar on stderr: number of units, rate and remaining time."""
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), Rate(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(doing, total=total, completed=done)
        yield lambda count: bar.advance(task, count)


@dataclass
class Tally:
    """Sums of one class over images."""

    image_count: int = 0
    mask_count: int = 0
    unsure_count: int = 0
    area_shares: float = 0.0

    def add(self, result: ClassResult) -> None:
        self.image_count += 1
        self.mask_count += bool(result.rle)
        self.unsure_count += result.unsure
        self.area_shares += result.area_share


def show_records(records: Iterator[Record], data_format: Format) -> None:
    """A table of the classes on stdout; problems on stderr."""
    tallies = {name: Tally() for name in data_format.classes}
    show_problems(_add_records(records, data_format, tallies))
    if tallies[data_format.classes[0]].image_count:
        Console().print(_table(tallies))


def _add_records(
    records: Iterator[Record], data_format: Format, tallies: Mapping[str, Tally]
) -> Iterator[tuple[str, str]]:
    """Add the results to the tallies; yield image and problem of those that have none."""
    for record in records:
        if record.problem:
            yield record.image_id, record.problem
            continue
        for result in class_results(record, data_format):
            tallies[result.class_name].add(result)


def show_problems(problems: Iterable[tuple[str, str]]) -> None:
    """Names of images and their problems, on stderr."""
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    count = 0
    for count, (name, problem) in enumerate(problems, 1):
        if count <= MAX_PROBLEMS:
            errors.print(one_line(f"skipped: {name}: {problem}"), style="red")
    if count > MAX_PROBLEMS:
        errors.print(f"… and {count - MAX_PROBLEMS} more", style="red")


def _table(tallies: Mapping[str, Tally]) -> Table:
    table = Table("class")
    for heading in ("found in", "unsure in", "mean area share"):
        table.add_column(heading, justify="right")
    for name, tally in tallies.items():
        share = tally.area_shares / tally.image_count
        table.add_row(name, f"{tally.mask_count} of {tally.image_count}", str(tally.unsure_count), f"{share:.1%}")
    return table
