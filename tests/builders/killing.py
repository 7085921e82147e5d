"""A run that is killed, in a process of its own."""

import multiprocessing
import os
from collections.abc import Callable

CONTEXT = multiprocessing.get_context("forkserver")
"""Its server has no threads, so its copies cannot deadlock, and it imports the slow libraries only once."""
CONTEXT.set_forkserver_preload(["lightning.pytorch", "segmentation_models_pytorch", "nephoscope.training.train"])


def exit_code_of(run: Callable[..., object], *arguments: object) -> int | None:
    """Call a function of a module in another process → its exit code. Functions that it patches stay unchanged here."""
    process = CONTEXT.Process(target=_call, args=(run, *arguments))
    process.start()
    process.join()
    return process.exitcode


def _call(run: Callable[..., object], *arguments: object) -> None:
    # Loader processes are forked from this one, and so notice when it is killed. Those of the server would stay.
    multiprocessing.set_start_method("fork", force=True)
    run(*arguments)


def die(*_: object, **__: object) -> None:
    """End the process as a kill does: nothing is cleaned up."""
    os._exit(9)
