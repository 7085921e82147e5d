"""Writing files: a file or folder appears complete or not at all; JSON has null for numbers that are not known."""

import itertools
import json
import math
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from nephoscope.errors import UserError

UNFINISHED = ".unfinished-"
"""How the name of a file begins while it is written."""
HOST = sha256(platform.node().encode()).hexdigest()[:6]
NAME = re.compile(rf"{re.escape(UNFINISHED)}(?P<host>[0-9a-f]{{6}})-(?P<pid>\d+)-\d+-(?P<name>.+)", re.DOTALL)
PROBE = 1 << 20
"""Bytes that tell whether a disk is full."""
_numbers = itertools.count()
_unfinished: set[str] = set()
"""Names of what this process is writing."""


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
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key!r} is there twice")
        members[key] = value
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

    If the block raises, `path` stays as it was. Other threads, processes and machines may write the same path.

    >>> with atomic_write(Path("rules.json")) as unfinished:
    ...     unfinished.write_text("{}")
    2
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    # The suffix stays, because some writers choose the format by it (.npy, .zip).
    unfinished = path.with_name(f"{UNFINISHED}{HOST}-{os.getpid()}-{next(_numbers)}-{path.name}")
    _unfinished.add(unfinished.name)
    try:
        yield unfinished
        for part in [*unfinished.rglob("*"), unfinished]:
            _sync(part)
        if path.is_dir():
            _remove(path)
        unfinished.replace(path)
        _sync(path.parent)
    except Exception as error:
        if not isinstance(error, UserError) and getattr(error, "errno", None) is None:
            _write_more(unfinished, error)
        raise
    finally:
        _remove(unfinished)
        _unfinished.discard(unfinished.name)


def _write_more(unfinished: Path, error: Exception) -> None:
    """Libraries in other languages hide why they cannot write. The system says so if more is written to their file."""
    if unfinished.is_dir():
        return
    try:
        with unfinished.open("ab") as file:
            file.write(bytes(PROBE))
    except OSError as reason:
        raise reason from error


def _sync(path: Path) -> None:
    """Wait until the disk has it. Otherwise, after a power failure, a finished name could hold nothing."""
    if os.name != "posix":  # elsewhere, a file that is only read cannot be synchronised
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove what killed processes of this machine were writing in a folder: to this name, or (empty) to any."""
    with os.scandir(folder) as entries:
        leftovers = [match for entry in entries if (match := NAME.fullmatch(entry.name))]
    for match in leftovers:
        pid = int(match["pid"])
        if name not in ("", match["name"]) or match["host"] != HOST or match[0] in _unfinished:
            continue
        if pid == os.getpid() or not _is_alive(pid):
            _remove(folder / match[0])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 only checks
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; a UserError if another run holds it. A killed process holds nothing."""
    try:
        import fcntl
    except ModuleNotFoundError:  # on Windows
        yield
        return
    try:
        opened = lock.open("a")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{lock.parent}: results cannot be written there ({reason}); choose another --out") from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{lock.parent}: another run is writing its results there; wait until it ends, or choose another --out"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
