"""JSON files, written whole or not at all. A number that is not known (NaN) is written as null, never as 0."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    with atomic_write(path) as unfinished:
        unfinished.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Lend a neighbouring path to write a file or folder at; it takes its place only once it is whole.

    >>> with writing(rules_path) as unfinished:
    ...     unfinished.write_text("{}")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name's end stays: writers that go by the ending (.npy, .zip) keep working.
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    _clear_left_behind(path)
    try:
        yield unfinished
        if path.is_dir():
            _remove(path)
        unfinished.replace(path)
    finally:
        _remove(unfinished)


def _clear_left_behind(path: Path) -> None:
    """What killed processes had begun at this path, and this one too."""
    for unfinished in path.parent.glob(f".unfinished-*-{path.name}"):
        pid = unfinished.name.split("-")[1]
        if pid == str(os.getpid()) or not _is_alive(int(pid)):
            _remove(unfinished)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
