"""The other ways to ask the command line: lines for programs, what is installed, the page of a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nephoscope.artifacts import Artifacts
from nephoscope.bundle.load import open_portable
from nephoscope.cli.commands import app
from nephoscope.errors import UserError
from nephoscope.report import open as reporting
from nephoscope.settings.choices import OUTPUTS, parse_outputs
from tests.builders.command_line import run_command

ASK = CliRunner()


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_programs_read_a_line_a_picture(finished: Artifacts, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    first = min((finished.synthesize.dataset / "test_images").iterdir())
    (pictures / first.name).write_bytes(first.read_bytes())
    (pictures / "zz.jpg").touch()
    asked = (pictures, "--model", finished.export.model, "--engine", "torch", "--out", tmp_path / "out", "--json")
    done = run_command(*asked)
    assert done.returncode == 1
    begin, progress, picture, problem, end = lines(done.stdout)
    assert begin == {"event": "progress", "done": 0, "total": 2}
    assert progress == {"event": "progress", "done": 2, "total": 2}
    assert picture["image_id"] == first.name
    classes = picture["classes"]
    assert isinstance(classes, list)
    assert [one["class_name"] for one in classes] == ["Fish", "Flower", "Gravel", "Sugar"]
    assert all(0 <= one["presence"] <= 1 and one["unsure"] == (one["confidence"] < 2 / 3) for one in classes)
    assert problem == {"event": "problem", "image_id": "zz.jpg", "problem": "the file is empty"}
    assert end == {"event": "done", "out": str(tmp_path / "out"), "readable": 1, "problem": 1}


def test_heat_maps_and_pages_are_told_in_lines(finished: Artifacts, tmp_path: Path) -> None:
    first = min((finished.synthesize.dataset / "test_images").iterdir())
    (tmp_path / "zz.jpg").touch()
    asked = ["explain", str(first), str(tmp_path / "zz.jpg"), "--model", str(finished.export.model), "--json"]
    done = ASK.invoke(app, [*asked, "--class-name", "Fish", "--out", str(tmp_path / "out")])
    begin, *_, heat_map, problem, end = lines(done.stdout)
    assert begin == {"event": "progress", "done": 0, "total": 2}
    assert (heat_map["event"], heat_map["file"]) == ("heat_map", f"{first.name}_Fish.jpg")
    assert isinstance(heat_map["presence"], float)
    assert problem == {"event": "problem", "image_id": "zz.jpg", "problem": "the file is empty"}
    assert end == {"event": "done", "out": str(tmp_path / "out"), "readable": 1, "problem": 1}
    assert done.exit_code == 1
    other = ASK.invoke(app, [*asked, "--class-name", "Sugar", "--out", str(tmp_path / "out")])
    told = [line["file"] for line in lines(other.stdout) if line["event"] == "heat_map"]
    assert told == [f"{first.name}_Sugar.jpg"]
    told = ASK.invoke(app, ["report", str(finished.root), "--no-show", "--json"])
    assert lines(told.stdout) == [{"event": "report", "page": str(finished.report.page)}]


def test_info_says_what_answers_and_where_it_is() -> None:
    (found,) = lines(ASK.invoke(app, ["info", "--json"]).stdout)
    assert found["model"]["classes"] == "Fish, Flower, Gravel, Sugar"  # type: ignore[index]
    assert found["packages"]["torch"]  # type: ignore[index]
    people = ASK.invoke(app, ["info"]).stdout
    assert "kept here" in people
    assert found["nephoscope"]["version"] in people  # type: ignore[index]


def test_info_tells_the_engines_that_were_chosen(
    finished: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPHOSCOPE_CACHE", str(tmp_path))
    question = ["info", "--json", "--model", str(finished.export.model)]
    (before,) = lines(ASK.invoke(app, question).stdout)
    assert "by an engine not chosen yet" in before["model"]["segmenter-seed0"]  # type: ignore[index]
    open_portable(finished.export.model)
    (after,) = lines(ASK.invoke(app, question).stdout)
    assert after["model"]["segmenter-seed0"].endswith((" by openvino", " by onnx", " by torch"))  # type: ignore[index]


def test_info_tells_of_a_model_that_is_none(tmp_path: Path) -> None:
    (found,) = lines(ASK.invoke(app, ["info", "--json", "--model", str(tmp_path)]).stdout)
    assert "no portable model" in found["model"]["problem"]  # type: ignore[index]


def test_the_page_of_a_run_is_opened(finished: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(reporting.webbrowser, "open", opened.append)
    page = finished.report.page
    assert page.is_file()
    assert ASK.invoke(app, ["report", str(finished.root)]).stdout.strip() == str(page)
    assert opened == [page.resolve().as_uri()]
    assert ASK.invoke(app, ["report", str(finished.root), "--no-show"]).exit_code == 0
    assert len(opened) == 1


def test_a_run_elsewhere_without_a_report_says_where_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `nephoscope report` in the folder"):
        reporting.open_report(tmp_path, show=False)


def test_help_teaches_without_waiting_for_torch() -> None:
    script = "import sys; from nephoscope.cli.commands import app; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "False"
    for command in ("predict", "report"):
        assert f"nephoscope {command}" in ASK.invoke(app, [command, "--help"]).stdout


def test_outputs_are_chosen_by_name() -> None:
    assert parse_outputs("coco,masks,") == ("masks", "coco")
    with pytest.raises(UserError, match=f"pngs is unknown; choose any of {', '.join(OUTPUTS)}"):
        parse_outputs("pngs")


def test_what_nobody_expected_is_told_apart_from_pictures_set_aside() -> None:
    broken = "from nephoscope.cli import commands as cli; cli.parse_outputs = lambda _: 1 / 0; cli.main()"
    done = subprocess.run([sys.executable, "-c", broken, "predict", "a.jpg"], capture_output=True, text=True)
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
