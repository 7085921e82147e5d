"""Writing files: a file or folder appears complete or not at all; JSON has null for numbers that are not known."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically. NaN and infinity become null."""
    with atomic_write(path) as unfinished:
        unfinished.write_text(json.dumps(_with_null(content), indent=2, allow_nan=False) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    """The content of a file; see `parse_json`."""
    return parse_json(path.read_bytes())


def parse_json(content: str | bytes) -> Any:
    """JSON → Python. A ValueError if it is none, is nested too deeply or has a key twice."""
    try:
        return json.loads(content, object_pairs_hook=_to_dict)
    except RecursionError:
        raise ValueError("the brackets are nested too deeply") from None


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        repeated = next(key for position, (key, _) in enumerate(pairs) if key in dict(pairs[:position]))
        raise ValueError(f"the key {repeated!r} is there twice")
    return members


def _with_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; write a file or folder there, and it replaces `path` at the end.

    If the block raises, `path` stays as it was.

    >>> with atomic_write(rules_path) as unfinished:
    ...     unfinished.write_text("{}")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, because some writers choose the format by it (.npy, .zip).
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    _remove_leftovers(path)
    try:
        yield unfinished
        if path.is_dir():
            _remove(path)
        unfinished.replace(path)
    finally:
        _remove(unfinished)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes, or this one, left beside the path."""
    for unfinished in path.parent.glob(f".unfinished-*-{path.name}"):
        pid = unfinished.name.split("-")[1]
        if pid == str(os.getpid()) or not _is_alive(int(pid)):
            _remove(unfinished)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 only checks
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
