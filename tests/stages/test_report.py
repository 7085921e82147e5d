import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stages.report
from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError
from nephoscope.files import write_json
from nephoscope.settings.params import Params
from nephoscope.settings.report import Report
from tests.builders.pipeline_run import tiny_params
from tests.builders.source_tree import ROOT

REPORT_ALONE = """
import runpy, sys
runpy.run_module("stages.report", run_name="__main__")
sys.exit("torch" in sys.modules)
"""


def small(run: Artifacts) -> Params:
    return tiny_params(run.root).model_copy(update={"report": Report(best=1, median=1, worst=2)})


def test_the_page_of_a_finished_run_has_every_section(finished: Artifacts) -> None:
    html = finished.report.page.read_text("utf-8")
    for chapter in ("dice", "rule", "curves", "images", "training", "data", "settings"):
        assert f'<section id="{chapter}">' in html
    assert "Dice 0." in html or "Dice 1." in html
    assert "mobilenetv3_small_050" in html


def test_the_page_is_reproducible_and_needs_no_torch(finished: Artifacts, own_run: Artifacts, tmp_path: Path) -> None:
    own_run.report.page.unlink()
    write_json(tmp_path / "params.yaml", tiny_params(finished.root).model_dump(mode="json"))  # JSON is YAML, too
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", REPORT_ALONE], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0
    assert own_run.report.page.read_bytes() == finished.report.page.read_bytes()


def test_optional_parts_can_be_left_out(own_run: Artifacts) -> None:
    none = tiny_params(own_run.root).model_copy(update={"report": Report(best=0, median=0, worst=0)})
    for path in own_run.prepare.profile.iterdir():
        path.unlink()
    own_run.prepare.profile.rmdir()
    shutil.rmtree(own_run.explain.folder)
    stages.report.main(none, own_run)
    html = own_run.report.page.read_text("utf-8")
    assert '<div class="gallery">' not in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("tune", "tune/rules.json"),
        ("tune", "tune/tables"),
        ("train_segmenter", "train_segmenter/history.csv"),
        ("evaluate", "evaluate/tables"),
    ],
)
def test_a_missing_file_is_named_with_the_command_that_writes_it(own_run: Artifacts, stage: str, path: str) -> None:
    missing: Path = own_run.root / path
    missing.rename(missing.with_name("elsewhere"))
    with pytest.raises(UserError, match=rf"{path} is missing; `python -m stages\.{stage}` writes it"):
        stages.report.main(small(own_run), own_run)
