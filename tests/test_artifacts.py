"""Files are written completely or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nephoscope import files
from nephoscope.files import atomic_write, read_json, write_json

NO_PROCESS = 2**22 + 1
"""Larger than any number of a process on Linux."""


def write_and_fail(path: Path, *, folder: bool) -> None:
    with atomic_write(path) as unfinished:
        if folder:
            unfinished.mkdir()
            unfinished = unfinished / "part"
        unfinished.write_text("half")
        raise KeyboardInterrupt


@pytest.mark.parametrize("folder", [True, False])
def test_a_failed_write_leaves_the_old_content(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "out"
    if folder:
        path.mkdir()
        (path / "part").write_text("old")
    else:
        path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_and_fail(path, folder=folder)
    assert (path / "part" if folder else path).read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_folder_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out"
    for content in ("one", "two"):
        with atomic_write(path) as unfinished:
            unfinished.mkdir()
            (unfinished / content).touch()
    assert [child.name for child in path.iterdir()] == ["two"]


KILLED = """
import os, sys
from pathlib import Path
from nephoscope.files import atomic_write
with atomic_write(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    os._exit(9)
"""


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    assert not path.exists()
    with atomic_write(path) as unfinished:
        unfinished.write_text("whole")
    assert [child.name for child in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("pid", "host", "name", "stays"),
    [
        (os.getppid(), files.HOST, "out", True),  # a process that lives
        (NO_PROCESS, "000000", "out", True),  # its number means nothing here
        (NO_PROCESS, files.HOST, "other-out", True),
        (NO_PROCESS, files.HOST, "out", False),
        (os.getpid(), files.HOST, "out", False),  # an earlier process had the number of this one
    ],
    # Workers of pytest-xdist must collect the same names, and their process numbers differ.
    ids=["living", "other host", "other file", "dead", "number of this process"],
)
def test_only_leftovers_of_the_same_file_are_removed(
    tmp_path: Path, pid: int, host: str, name: str, stays: bool
) -> None:
    leftover = tmp_path / f".unfinished-{host}-{pid}-0-{name}"
    leftover.touch()
    with atomic_write(tmp_path / "out") as unfinished:
        unfinished.touch()
    assert leftover.exists() == stays
    files.remove_leftovers(tmp_path)
    assert leftover.exists() == (stays and name == "out")


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with atomic_write(path) as first:
        first.write_text("first")
        with atomic_write(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert [child.name for child in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("folder", [True, False])
def test_the_content_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool
) -> None:
    path, synchronised = tmp_path / "out", []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        synchronised.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> Path:
        synchronised.append("replace")
        return replace(source, target)

    monkeypatch.setattr(files.os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    with atomic_write(path) as unfinished:
        if folder:
            unfinished.mkdir()
        (unfinished / "part" if folder else unfinished).write_text("whole")
    written = [path / "part", path] if folder else [path]
    expected = [*(part.stat().st_ino for part in written), "replace", tmp_path.stat().st_ino]
    assert synchronised == expected


def test_an_unknown_number_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"a": float("nan"), "b": [1.5, float("inf")]})
    assert read_json(tmp_path / "metrics.json") == {"a": None, "b": [1.5, None]}
