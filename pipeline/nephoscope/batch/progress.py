"""What people see at a terminal: how far it is, and what was found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from nephoscope.batch.pictures import Record
from nephoscope.batch.result import ClassResult, class_results, image_id_of
from nephoscope.data.formats import Format

Progress = AbstractContextManager[Callable[[int], object]]
"""Inside, it is called with how many more pictures are done."""
MOST_PROBLEMS = 20
"""named at the terminal; all of them are in problems.csv"""


class Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} pictures/s" if speed else "")


@contextmanager
def show_progress(done: int, total: int, doing: str = "predict") -> Iterator[Callable[[int], object]]:
    """On stderr: how many are done, how fast, and how long it still takes."""
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(doing, total=total, completed=done)
        yield lambda count: bar.advance(task, count)


@dataclass
class Tally:
    """What is counted of a class, however many pictures there are."""

    pictures: int = 0
    found: int = 0
    unsure: int = 0
    area_shares: float = 0.0

    def add(self, told: ClassResult) -> None:
        self.pictures += 1
        self.found += bool(told.rle)
        self.unsure += told.unsure
        self.area_shares += told.area_share


def show_pictures(pictures: Iterator[Record], format: Format) -> None:  # noqa: A002
    """In how many pictures each class was found; on stderr, what could not be read."""
    tallies = {name: Tally() for name in format.classes}
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    problems = 0
    for one in pictures:
        for told in [] if one.problem else class_results(one, format):
            tallies[told.class_name].add(told)
        problems += bool(one.problem)
        if one.problem and problems <= MOST_PROBLEMS:
            errors.print(f"set aside: {image_id_of(one)}: {one.problem}", style="red")
    if problems > MOST_PROBLEMS:
        errors.print(f"… and {problems - MOST_PROBLEMS} more", style="red")
    if tallies[format.classes[0]].pictures:
        Console().print(_table(tallies))


def _table(tallies: Mapping[str, Tally]) -> Table:
    table = Table("class")
    for heading in ("found in", "unsure in", "mean share of the picture"):
        table.add_column(heading, justify="right")
    for name, one in tallies.items():
        share = one.area_shares / one.pictures
        table.add_row(name, f"{one.found} of {one.pictures}", str(one.unsure), f"{share:.1%}")
    return table
