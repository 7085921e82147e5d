"""What a person can put right is told in a sentence; what only the code can put right keeps its traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import ROOT


def run_stage(name: str, folder: Path) -> str:
    command, environment = [sys.executable, "-m", f"stages.{name}"], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr


def test_a_missing_parameter_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    told = run_stage("tune", tmp_path)
    assert told == "nephoscope: params.yaml: no such file; run from the folder that holds params.yaml\n"


@pytest.mark.parametrize("setting", ["tune: {presense: both}", "prepare: {format: cirrus}"])
def test_a_wrong_setting_is_told_without_a_traceback(tmp_path: Path, setting: str) -> None:
    (tmp_path / "params.yaml").write_text(setting)
    told = run_stage("tune", tmp_path)
    assert told.startswith("nephoscope: params.yaml: 1 setting(s) cannot be used:")
    assert "Traceback" not in told


def test_a_stage_that_comes_too_early_is_told_which_one_comes_before(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    told = run_stage("tune", tmp_path)
    assert told == "nephoscope: artifacts/prepare/manifest.json is missing; `python -m stages.prepare` writes it\n"


def test_a_data_set_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("prepare: {root: data/clouds}")
    told = run_stage("prepare", tmp_path)
    assert "data/clouds" in told
    assert "Traceback" not in told
