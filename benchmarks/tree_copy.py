"""Copies of the tree in which mutations are tried: the working tree itself is never changed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import cache_from_source
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Protocol, TypeVar

from tqdm import tqdm

HANG = "time limit"
SLOWER, LEAST_SECONDS = 5, 60
"""The time limit: this many times the time without a mutation, plus these seconds."""
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider")
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class Change(Protocol):
    """A change of one file, and the tests that it should break."""

    @property
    def path(self) -> Path: ...
    @property
    def old(self) -> str: ...
    @property
    def new(self) -> str: ...
    @property
    def test_paths(self) -> tuple[str, ...]: ...


AnyChange = TypeVar("AnyChange", bound=Change)


def run_in_copies(
    changes: Sequence[AnyChange], root: Path, jobs: int, record: Callable[[AnyChange, str], object]
) -> None:
    """Try every change in one of `jobs` copies; `record` gets it with the test that failed, or "" if none did.

    Changes with the same tests run one after another. First these tests run without a change: they must pass.
    """
    by_tests = sorted(changes, key=lambda change: change.test_paths)
    groups = [list(group) for _, group in groupby(by_tests, lambda change: change.test_paths)]
    copies: SimpleQueue[TreeCopy] = SimpleQueue()
    recording = Lock()
    with (
        TemporaryDirectory(prefix="nephoscope-mutations-") as folder,
        tqdm(total=len(changes), unit="mutation", disable=None) as bar,
    ):
        made = [TreeCopy(root, Path(folder, str(number))) for number in range(min(jobs, len(groups)))]
        for copy in made:
            copies.put(copy)

        def try_group(group: list[AnyChange]) -> None:
            copy = copies.get()
            try:
                limit = copy.measure_limit(group[0].test_paths)
                for change in group:
                    failed = copy.try_change(change, limit)
                    with recording:
                        record(change, failed)
                        bar.update()
            finally:
                copies.put(copy)

        executor = ThreadPoolExecutor(max(1, jobs))
        try:
            for future in [executor.submit(try_group, group) for group in groups]:
                future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            for copy in made:
                copy.stop()
            executor.shutdown()


class TreeCopy:
    """The files that git knows or would add, as they are on disk."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
        for name in listed.split("\0"):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, folder / name)

    def measure_limit(self, tests: tuple[str, ...]) -> float:
        """Seconds after which these tests count as hanging; an error if they fail without any change."""
        begin = time.monotonic()
        if failed := self._run(tests, None):
            raise SystemExit(f"{failed}: fails without a mutation; correct it first")
        return SLOWER * (time.monotonic() - begin) + LEAST_SECONDS

    def try_change(self, change: Change, limit: float) -> str:
        """The test that fails by the change; HANG if none ends in time, and "" if all pass."""
        path = self.folder / change.path
        text, times = path.read_text("utf-8"), path.stat()
        try:
            _write(path, text.replace(change.old, change.new))
            # Compiled code of one file is part of that of others, so it must not stay in the common cache.
            return self._run(change.test_paths, limit, compiled="njit" in text)
        finally:
            _write(path, text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _run(self, tests: tuple[str, ...], limit: float | None, *, compiled: bool = False) -> str:
        if self._stopped:
            raise SystemExit("stopped")
        cache = Path(f"{self.folder}-compiled{'-change' if compiled else ''}")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.folder / "pipeline"), str(self.folder)]),
            "NUMBA_CACHE_DIR": str(cache),
        }
        self._process = subprocess.Popen(
            [*PYTEST, "--basetemp", f"{self.folder}-temporary", *tests], cwd=self.folder, env=environment,
            start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        try:
            output, _ = self._process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            return HANG
        finally:
            if compiled:
                shutil.rmtree(cache, ignore_errors=True)
        if self._stopped:
            raise SystemExit("stopped")
        failed = FAILED.search(output)
        return "" if self._process.returncode == 0 else failed[1] if failed else output.strip()[-200:]


def _write(path: Path, text: str) -> None:
    """Without stored bytecode: Python compares only its size, and its time in whole seconds."""
    path.write_text(text, "utf-8")
    Path(cache_from_source(path)).unlink(missing_ok=True)
