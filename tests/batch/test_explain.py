"""`nephoscope explain` with the portable model of a finished run."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.batch import heat_maps
from nephoscope.batch.heat_maps import explain_pictures
from nephoscope.cli.commands import app
from nephoscope.data.images import read_image
from nephoscope.errors import UserError

CLASSES = ["Fish", "Flower", "Gravel", "Sugar"]


@pytest.fixture
def pictures(finished: Artifacts, tmp_path: Path) -> Path:
    """Three images, one of them truncated, and a text file."""
    folder = tmp_path / "pictures"
    shutil.copytree(finished.synthesize.dataset / "test_images", folder)
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-400])
    (folder / "text.png").write_text("no picture")
    return folder


def test_the_command_explains_readable_images_and_lists_the_others(
    finished: Artifacts, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["explain", str(pictures), "--model", str(finished.export.model), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    assert "2 images skipped" in result.stderr
    *readable, broken, _ = sorted(path.name for path in pictures.iterdir())
    problems = pd.read_csv(out / "problems.csv").set_index("image_id")["problem"]
    assert "without an end marker" in problems[broken]
    assert "neither a JPEG nor a PNG" in problems["text.png"]
    summary = pd.read_csv(out / "summary.csv")
    assert summary["image_id"].tolist() == [name for name in readable for _ in CLASSES]
    assert summary["class_name"].tolist() == CLASSES * 2
    assert summary["presence"].between(0, 1).all()
    assert {read_image(out / name).shape for name in summary["file"]} == {(258, 387, 3)}
    assert {path.name for path in out.glob("*.jpg")} == set(summary["file"])


def test_an_interrupted_run_resumes(
    finished: Artifacts, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    explain_pictures([str(pictures)], finished.export.model, whole)
    write_heat, drawn = heat_maps.write_heat, []

    def interrupted(path: Path, *rest: object) -> None:
        if len(drawn) == 6:
            raise KeyboardInterrupt
        drawn.append(path.name)
        write_heat(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(heat_maps, "write_heat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explain_pictures([str(pictures)], finished.export.model, killed)
    with (killed / "summary.csv").open("a") as file:
        file.write("half-a-row.jpg,Fi")
    monkeypatch.setattr(heat_maps, "write_heat", lambda path, *rest: (drawn.append(path.name), write_heat(path, *rest)))
    explain_pictures([str(pictures)], finished.export.model, killed)
    assert len(drawn) == len(set(drawn)) == 8
    assert (killed / "summary.csv").read_text() == (whole / "summary.csv").read_text()


def test_further_classes_are_added_to_the_folder(finished: Artifacts, pictures: Path, tmp_path: Path) -> None:
    for names in (["Sugar"], ["Fish", "Sugar"]):
        assert explain_pictures([str(pictures)], finished.export.model, tmp_path / "out", names) == (2, 2)
    assert pd.read_csv(tmp_path / "out" / "summary.csv")["class_name"].tolist() == ["Fish", "Sugar"] * 2


def test_heat_maps_of_another_model_are_refused(finished: Artifacts, pictures: Path, tmp_path: Path) -> None:
    explain_pictures([str(pictures)], finished.export.model, tmp_path, ["Fish"])
    with pytest.raises(UserError, match="holds heat maps of another model"):
        explain_pictures([str(pictures)], SHIPPED, tmp_path, ["Fish"])


def test_an_unknown_class_is_refused(finished: Artifacts, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--class-name Fisch is unknown; the model has Fish, Flower, Gravel, Sugar"):
        explain_pictures([str(pictures)], finished.export.model, tmp_path / "out", ["Fisch"])
    assert not (tmp_path / "out").exists()
