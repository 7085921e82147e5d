"""What DVC reruns after an edit: real `dvc`, the real dvc.yaml and rooms, stand-ins for the work of the stages."""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.builders.source_tree import ROOT, STAGES

pytestmark = pytest.mark.xdist_group("dvc")
NOISE = ("__pycache__/search.cpython-311.pyc", "search.pyc", ".search.py.swp", "search.py~", ".#search.py", ".DS_Store")


@contextmanager
def opened(repository: Path) -> Iterator[Repo]:
    """DVC in this process: its own command takes seconds to start."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # DVC's own
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        patch.chdir(repository)
        with Repo(str(repository)) as repo:
            yield repo


def out_of_date(repository: Path) -> set[str]:
    with opened(repository) as repo:
        return set(repo.status())


def rerun(repository: Path) -> list[str]:
    """The stages that `dvc repro` runs now."""
    log = repository / "ran.log"
    log.unlink(missing_ok=True)
    with opened(repository) as repo:
        repo.reproduce()
    return log.read_text("utf-8").split() if log.exists() else []


def edit(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("\n# A comment.\n")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished pipeline of stand-ins, in a repository of its own."""
    root = tmp_path_factory.mktemp("rerunning") / "repository"
    bytecode = shutil.ignore_patterns("__pycache__")
    for folder in ("pipeline", "stages"):
        shutil.copytree(ROOT / folder, root / folder, ignore=bytecode)
    for file in (".dvcignore", "params.yaml", ".dvc/config"):
        (root / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, root / file)
    shutil.copy(ROOT / "tests/builders/stand_in.py", root)
    commands = (ROOT / "dvc.yaml").read_text("utf-8").replace("python -m stages.", "python stand_in.py ")
    (root / "dvc.yaml").write_text(commands, "utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    assert sorted(rerun(root)) == sorted(STAGES)
    return root


def test_bytecode_and_files_of_editors_change_no_room(repository: Path) -> None:
    for name in NOISE:
        path = repository / "pipeline/nephoscope/tuning" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"noise")
    assert out_of_date(repository) == set()


def test_an_edit_reruns_the_stages_that_name_its_room_and_what_follows(repository: Path) -> None:
    edit(repository / "pipeline/nephoscope/tuning/search.py")
    assert sorted(rerun(repository)) == sorted(["tune", "evaluate", "explain", "submit", "export", "report"])


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("training/fit.py", {"train_segmenter", "train_classifier"}),
        ("report/render.py", {"report"}),
        ("settings/report.py", {"report"}),
        ("app/server.py", set()),
        ("errors.py", set()),
    ],
)
def test_an_edit_in_a_room_outdates_just_the_stages_that_name_it(repository: Path, file: str, stages: set[str]) -> None:
    path = repository / "pipeline/nephoscope" / file
    before = path.read_bytes()
    edit(path)
    assert out_of_date(repository) == stages
    path.write_bytes(before)
