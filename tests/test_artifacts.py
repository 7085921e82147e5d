"""Files are written completely or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nephoscope.files import atomic_write, read_json, write_json


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


def test_a_file_that_another_process_writes_stays(tmp_path: Path) -> None:
    path, others = tmp_path / "out", tmp_path / f".unfinished-{os.getppid()}-out"
    others.touch()
    with atomic_write(path) as unfinished:
        unfinished.touch()
    assert others.exists()


def test_an_unknown_number_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"a": float("nan"), "b": [1.5, float("inf")]})
    assert read_json(tmp_path / "metrics.json") == {"a": None, "b": [1.5, None]}
