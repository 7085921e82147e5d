"""The wheel that `pip install` gets: it holds one package, and that package predicts without the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from nephoscope.data.synthetic import write_dataset
from tests.builders.source_tree import PACKAGE, ROOT

pytestmark = pytest.mark.xdist_group("wheel")
PREDICT = """
import sys
import nephoscope as ns
result = ns.load().predict(sys.argv[1])
print(ns.__file__)
print(*result.masks.shape)
print(*result.presence)
"""


def run(*command: object, cwd: Path) -> str:
    """The output of a command that sees nothing of the repository."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(map(str, command), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, because a build leaves files beside them."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("pipeline", "stages", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", out, source, cwd=out)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment: the wheel, and the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # Only the folder joins the path. Its .pth files are not read, so an editable install stays out of sight.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_the_wheel_holds_one_package_with_all_its_files(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert names == {path.relative_to(PACKAGE.parent).as_posix() for path in sources}
    assert "nephoscope/py.typed" in names
    assert "nephoscope/bundle/shipped/model.json" in names
    assert any(name.endswith(".jinja") for name in names)


def test_the_installed_package_predicts_outside_the_repository(python: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "scenes", labelled=1, seed=3)
    (picture,) = (tmp_path / "scenes" / "train_images").iterdir()
    file, shape, presence = run(python, "-c", PREDICT, picture, cwd=tmp_path).splitlines()
    assert Path(file).is_relative_to(python.parents[1])
    assert shape == "4 350 525"
    assert all(0 <= float(value) <= 1 for value in presence.split())


def test_the_installed_command_starts(python: Path, tmp_path: Path) -> None:
    assert "predict" in run(python.with_name("nephoscope"), "--help", cwd=tmp_path)
