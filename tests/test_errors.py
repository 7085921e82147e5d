"""An error that the user can fix ends in one sentence; other errors keep their traceback."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import stages
from nephoscope.errors import UserError, missing_extra
from tests.builders.source_tree import ROOT, SOURCE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a stage is run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_stage(name: str) -> None:
    runpy.run_path(str(ROOT / f"stages/{name}.py"), run_name="__main__")


def test_a_missing_parameter_file_is_reported_in_a_sentence(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-m", "stages.tune"], os.environ | {"PYTHONPATH": f"{ROOT}:{SOURCE}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "nephoscope: params.yaml: no such file; run from the folder that holds params.yaml\n"


def test_only_other_errors_keep_their_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    stages._print_error(KeyError, KeyError("a"), None)
    assert capsys.readouterr().err == "KeyError: 'a'\n"
    with pytest.raises(SystemExit) as ended:
        stages._print_error(UserError, UserError("say so"), None)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "nephoscope: say so\n"


@pytest.mark.parametrize("setting", ["tune: {presense: both}", "prepare: {format: cirrus}"])
def test_a_wrong_setting_is_an_error_the_user_can_fix(folder: Path, setting: str) -> None:
    (folder / "params.yaml").write_text(setting)
    with pytest.raises(UserError, match=r"^params\.yaml: 1 setting\(s\) cannot be used:"):
        run_stage("tune")


def test_a_stage_without_its_input_names_the_stage_before(folder: Path) -> None:
    (folder / "params.yaml").touch()
    with pytest.raises(UserError, match=r"^artifacts/prepare/manifest/manifest\.json is missing; .*stages\.prepare`"):
        run_stage("tune")


def test_a_missing_data_set_is_reported_with_its_path(folder: Path) -> None:
    (folder / "params.yaml").write_text("prepare: {root: data/clouds}")
    with pytest.raises(UserError, match="data/clouds"):
        run_stage("prepare")


def test_a_missing_package_is_reported_with_the_command_to_install_it() -> None:
    error = missing_extra(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"))
    assert error is not None
    assert str(error).startswith("torch is not installed; run `python -m pip install 'nephoscope[train]'`")
    assert missing_extra(ModuleNotFoundError("No module named 'surprise'", name="surprise")) is None
