"""`dvc metrics show` of a finished run is one table that fits a screen."""

import shutil
import subprocess
import sys
from pathlib import Path

from nephoscope.artifacts import Artifacts
from tests.builders.source_tree import ROOT


def test_the_table_of_metrics_fits_into_100_columns(finished: Artifacts, tmp_path: Path) -> None:
    for file in ("dvc.yaml", "params.yaml", ".dvc/config"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    for path in finished.root.glob("*/metrics.json"):
        (tmp_path / "artifacts" / path.parent.name).mkdir(parents=True)
        shutil.copy(path, tmp_path / "artifacts" / path.parent.name)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)

    command = [sys.executable, "-m", "dvc", "metrics", "show"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["Path", "dice", "empty", "error", "high", "low", "score", "tuned"]
    assert len(rows) == 5
    assert max(map(len, done.stdout.splitlines())) <= 100, done.stdout
