"""How long work tells its progress; the command line draws bars with it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Progress = Callable[[int, int], AbstractContextManager[Callable[[int], object]]]
"""(done, total) → a context whose value is called with the number of further items that are done."""


def no_progress(_done: int, _total: int) -> AbstractContextManager[Callable[[int], object]]:
    return nullcontext(lambda _: None)
