"""Signals that end a command which a second run resumes: the last line says so."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

import typer

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; the end that systems and schedulers ask for; a closed terminal."""
SIGNALLED = 128
"""Added to the number of the signal: the exit code of shells."""


class Interrupted(BaseException):
    """A signal asks the command to end. It is no Exception, so that nothing takes it for the problem of one image."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def resumable() -> Iterator[None]:
    """End the block at a signal, after what it has open is closed. A second signal ends the process at once."""
    if current_thread() is not main_thread():  # others receive no signals
        yield
        return
    # What is ignored stays so: nohup ignores SIGHUP.
    handled = {number: signal.getsignal(number) for number in ENDING}
    handled = {number: earlier for number, earlier in handled.items() if earlier is not signal.SIG_IGN}

    def stop(number: int, _: FrameType | None) -> None:
        for other in handled:
            signal.signal(other, signal.SIG_DFL)
        raise Interrupted(number)

    try:
        for number in handled:
            signal.signal(number, stop)
        yield
    except Interrupted as error:
        name = signal.Signals(error.number).name
        typer.echo(f"nephoscope: ended by {name}; run the same command again to resume", err=True)
        raise SystemExit(SIGNALLED + error.number) from None
    finally:
        for number, earlier in handled.items():
            signal.signal(number, earlier)
