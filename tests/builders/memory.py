"""The highest memory of a part of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """`growth`: bytes by which the highest memory exceeded that of the beginning; 0 where Linux does not tell."""

    growth = 0


@contextmanager
def peak_of() -> Iterator[Peak]:
    peak = Peak()
    if not RESET.exists():
        yield peak
        return
    RESET.write_text("5")  # forgets the highest memory until now
    before = _read("VmRSS")
    yield peak
    peak.growth = _read("VmHWM") - before


def _read(key: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024
