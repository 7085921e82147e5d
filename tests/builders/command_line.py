"""`nephoscope` as people run it: in this process, which takes no time to start, or in one of its own."""

import logging
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

from nephoscope.cli.commands import main


@dataclass(frozen=True)
class Done:
    """A finished command."""

    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: object, command: str = "predict") -> Done:
    """Run the whole command line, with its exit code and messages, in this process."""
    out, err = StringIO(), StringIO()
    with _as_program(), redirect_stdout(out), redirect_stderr(err):
        sys.argv = ["nephoscope", command, *map(str, arguments)]
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def run_process(*arguments: object, command: str = "predict") -> subprocess.CompletedProcess[str]:
    """The same in a process of its own: for what an import or a signal changes."""
    line = [sys.executable, "-m", "nephoscope", command, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True)


@contextmanager
def _as_program() -> Iterator[None]:
    """Afterwards everything that a program may set is as before: arguments, hooks, handlers, warnings."""
    library = logging.getLogger("nephoscope")
    handlers, level = [*library.handlers], library.level
    argv, hook = sys.argv, sys.excepthook
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        library.handlers[:], library.level = handlers, level
        sys.argv, sys.excepthook = argv, hook
        for number, handler in signals.items():
            signal.signal(number, handler)
