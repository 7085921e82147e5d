"""What people see at a terminal: how far it is, and what was found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from pipeline.data.format import Format
from pipeline.delivery.pictures import Decided
from pipeline.delivery.told import Told, image_id_of, tell

Progress = AbstractContextManager[Callable[[int], object]]
"""Inside, it is called with how many more pictures are done."""
MOST_FAULTS = 20
"""named at the terminal; all of them are in faults.csv"""


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


def show_pictures(pictures: Iterator[Decided], format: Format) -> None:  # noqa: A002
    """In how many pictures each class was found; on stderr, what could not be read."""
    told: dict[str, list[Told]] = {name: [] for name in format.classes}
    faults: list[tuple[str, str]] = []
    for one in pictures:
        if one.fault:
            faults.append((image_id_of(one), one.fault))
        else:
            for each in tell(one, format):
                told[each.class_name].append(each)
    if any(told.values()):
        Console().print(_table(told))
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for image_id, fault in faults[:MOST_FAULTS]:
        errors.print(f"set aside: {image_id}: {fault}", style="red")
    if len(faults) > MOST_FAULTS:
        errors.print(f"… and {len(faults) - MOST_FAULTS} more", style="red")


def _table(told: Mapping[str, list[Told]]) -> Table:
    table = Table("class")
    for heading in ("found in", "unsure in", "mean share of the picture"):
        table.add_column(heading, justify="right")
    for name, each in told.items():
        found, unsure = sum(bool(one.rle) for one in each), sum(one.unsure for one in each)
        share = sum(one.area_share for one in each) / len(each)
        table.add_row(name, f"{found} of {len(each)}", str(unsure), f"{share:.1%}")
    return table
