"""The table of benchmarks: rows of ours against a named baseline, with the ratio of the last table."""

import importlib.metadata
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2

OURS = "ours"
SLOWER = 0.75
"""A ratio below this share of the last one counts as slower. Smaller changes are noise."""
PACKAGES = ("torch", "openvino", "onnxruntime", "opencv-python-headless", "numpy", "numba", "lightning", "pycocotools")
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    step: str
    case: str
    unit: str
    """of `ours` and `theirs`: less is better"""
    ours: float
    baseline: str
    theirs: float
    note: str = ""
    last_ratio: float | None = None
    """of the table before"""

    @property
    def ratio(self) -> float:
        """How many times faster than the baseline."""
        return self.theirs / self.ours

    @property
    def key(self) -> tuple[str, str, str]:
        return self.step, self.case, self.baseline

    @property
    def slower(self) -> bool:
        return self.last_ratio is not None and self.ratio < SLOWER * self.last_ratio


@dataclass(frozen=True)
class Table:
    machine: dict[str, str]
    rows: tuple[Row, ...]

    def since(self, last: "Table | None") -> "Table":
        """Every row with its ratio from the last table."""
        ratios = {row.key: row.ratio for row in last.rows} if last else {}
        return replace(self, rows=tuple(replace(row, last_ratio=ratios.get(row.key)) for row in self.rows))

    def updated(self, other: "Table") -> "Table":
        """This table with the rows of the other one replaced or added."""
        newer = {row.key: row for row in other.rows}
        kept = [newer.pop(row.key, row) for row in self.rows]
        return Table(other.machine, (*kept, *newer.values()))

    def markdown(self) -> str:
        machine = "\n".join(f"- {name}: {value}" for name, value in self.machine.items())
        head = "| step | case | ours | baseline | theirs | ratio | last | |\n|---|---|--:|---|--:|--:|--:|---|"
        return f"# Benchmarks\n\n`python -m benchmarks`\n\n{machine}\n\n{head}\n{''.join(map(_line, self.rows))}"

    def write(self, path: Path) -> None:
        """`path` with .json and with .md."""
        content = {"machine": self.machine, "rows": [asdict(row) for row in self.rows]}
        path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        path.with_suffix(".md").write_text(self.markdown(), "utf-8")

    @classmethod
    def read(cls, path: Path) -> "Table | None":
        """None if there is no table yet."""
        if not path.with_suffix(".json").is_file():
            return None
        content = json.loads(path.with_suffix(".json").read_text("utf-8"))
        return cls(content["machine"], tuple(Row(**row) for row in content["rows"]))


def _line(row: Row) -> str:
    last = f"{row.last_ratio:.2f}" if row.last_ratio is not None else ""
    note = "; ".join(part for part in ("**slower than last**" if row.slower else "", row.note) if part)
    ours, theirs = (f"{value:,.4g} {row.unit}" for value in (row.ours, row.theirs))
    return f"| {row.step} | {row.case} | {ours} | {row.baseline} | {theirs} | **{row.ratio:.2f}** | {last} | {note} |\n"


def describe_machine() -> dict[str, str]:
    facts = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts[name] = "not installed"
    return facts


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def timed(call: Callable[[], T]) -> tuple[float, T]:
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def alone(task: Callable[..., T], *arguments: Any) -> T:
    """Run in a new process, so that no other task affects the allocator, compiled code or peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(task, arguments)


def peak_gib() -> float:
    """Peak memory of this process. (getrusage would include the peak of the parent process.)"""
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def medians(tasks: Mapping[str, Callable[[], Any]], seconds: float, least: int = 3) -> dict[str, float]:
    """Median seconds of each task. Tasks take turns, so a busy machine slows all of them.

    Every timed call follows an untimed call of the same task, so that all tasks start with their own caches filled.
    """
    times: dict[str, list[float]] = {name: [] for name in tasks}
    end = time.perf_counter() + seconds
    while min(map(len, times.values())) < least or time.perf_counter() < end:
        for name, task in tasks.items():
            task()
            times[name].append(timed(task)[0])
    return {name: statistics.median(seconds_of_task) for name, seconds_of_task in times.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenCV to one thread, like the baselines."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def rows_against(step: str, case: str, seconds: Mapping[str, float], scale: float, unit: str) -> list[Row]:
    """Seconds by name, OURS among them → ours against each of the others."""
    others = {name: theirs for name, theirs in seconds.items() if name != OURS}
    return [Row(step, case, unit, scale * seconds[OURS], name, scale * theirs) for name, theirs in others.items()]


def print_rows(rows: Sequence[Row]) -> None:
    for row in rows:
        text = f"{row.step}, {row.case}: {row.ours:.4g} {row.unit}; {row.baseline} {row.theirs:.4g} (×{row.ratio:.2f})"
        print(text, row.note)
