"""The command line: help, version, errors, output for programs, information, and the report."""

import json
import subprocess
import sys
import webbrowser
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.batch.maps import WRITERS
from nephoscope.bundle.load import open_portable
from nephoscope.cli.commands import app
from nephoscope.errors import UserError
from nephoscope.files import write_json
from nephoscope.provenance import PROVENANCE_FILE
from nephoscope.report import open as reporting
from nephoscope.settings.choices import OUTPUTS, parse_outputs
from tests.builders.command_line import run_command
from tests.builders.earth_results import PROVENANCE

RUNNER = CliRunner()
COMMANDS = ("predict", "info", "report", "explain", "serve", "fetch", "grid")
FORBIDDEN = (
    "torch",
    "timm",
    "lightning",
    "dvc",
    "albumentations",
    "captum",
    "sklearn",
    "scipy.stats",
    "matplotlib",
    "jinja2",
    "zarr",
    "pandas",
    "joblib",
)
"""Packages that are not needed to predict, or that are too slow to import."""
PREDICT_AND_LIST_IMPORTS = f"""
import sys
from nephoscope.cli.commands import app
for engine in ("onnx", "openvino"):
    arguments = [*sys.argv[1:], "--engine", engine]
    arguments[arguments.index("--out") + 1] += "/" + engine
    app(arguments, standalone_mode=False)
print("imported:", *sorted(set({FORBIDDEN!r}) & set(sys.modules)))
"""


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def run_python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)


def test_the_command_alone_shows_help() -> None:
    result = RUNNER.invoke(app, [])
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


def test_the_version_is_shown() -> None:
    done = subprocess.run([sys.executable, "-m", "nephoscope", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"nephoscope {version('nephoscope')}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example(command: str) -> None:
    assert f"nephoscope {command} " in RUNNER.invoke(app, [command, "--help"]).stdout


def test_flags_are_shown_without_a_type() -> None:
    for command in ([], *([name] for name in COMMANDS)):
        assert "bool" not in RUNNER.invoke(app, [*command, "--help"]).stdout


def test_an_unknown_engine_is_refused_with_the_names_of_all() -> None:
    message = " ".join(
        RUNNER.invoke(app, ["predict", "a.jpg", "--engine", "cuda"], env={"COLUMNS": "200"}).stderr.split()
    )
    assert "Invalid value for '--engine': 'cuda' is not one of 'auto', 'openvino', 'onnx', 'torch'" in message


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in RUNNER.invoke(app, ["--help"]).stdout


def test_help_needs_no_heavy_imports() -> None:
    done = run_python("import sys\nfrom nephoscope.cli.commands import app\nprint('numpy' in sys.modules)")
    assert done.stdout.strip() == "False"


def test_prediction_imports_neither_training_nor_report_packages(finished: Artifacts, tmp_path: Path) -> None:
    picture = min((finished.synthesize.dataset / "test_images").iterdir())
    outputs = ",".join(output for output in OUTPUTS if output not in WRITERS)  # maps on Earth need xarray
    done = run_python(PREDICT_AND_LIST_IMPORTS, "predict", picture, "--out", tmp_path, "--write", outputs)
    assert done.stdout.splitlines()[-1] == "imported:", done.stderr


def test_programs_read_a_line_per_image(finished: Artifacts, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    first = min((finished.synthesize.dataset / "test_images").iterdir())
    (pictures / first.name).write_bytes(first.read_bytes())
    (pictures / "zz.jpg").touch()
    arguments = (pictures, "--model", finished.export.model, "--engine", "torch", "--out", tmp_path / "out", "--json")
    done = run_command(*arguments)
    assert done.returncode == 1
    begin, progress, picture, problem, end = lines(done.stdout)
    assert begin == {"event": "progress", "done": 0, "total": 2}
    assert progress == {"event": "progress", "done": 2, "total": 2}
    assert picture["image_id"] == first.name
    classes = picture["classes"]
    assert isinstance(classes, list)
    assert [figures["class_name"] for figures in classes] == ["Fish", "Flower", "Gravel", "Sugar"]
    assert all(0 <= figures["presence"] <= 1 for figures in classes)
    assert all(figures["unsure"] == (figures["confidence"] < 2 / 3) for figures in classes)
    assert problem == {"event": "problem", "image_id": "zz.jpg", "problem": "the file is empty"}
    assert end == {"event": "done", "out": str(tmp_path / "out"), "readable_count": 1, "problem_count": 1}


def test_programs_read_a_line_per_heat_map(finished: Artifacts, tmp_path: Path) -> None:
    first = min((finished.synthesize.dataset / "test_images").iterdir())
    (tmp_path / "zz.jpg").touch()
    arguments = ["explain", str(first), str(tmp_path / "zz.jpg"), "--model", str(finished.export.model), "--json"]
    done = RUNNER.invoke(app, [*arguments, "--class-name", "Fish", "--out", str(tmp_path / "out")])
    begin, *_, heat_map, problem, end = lines(done.stdout)
    assert begin == {"event": "progress", "done": 0, "total": 2}
    assert (heat_map["event"], heat_map["file"]) == ("heat_map", f"{first.name}_Fish.jpg")
    assert isinstance(heat_map["presence"], float)
    assert problem == {"event": "problem", "image_id": "zz.jpg", "problem": "the file is empty"}
    assert end == {"event": "done", "out": str(tmp_path / "out"), "readable_count": 1, "problem_count": 1}
    assert done.exit_code == 1
    other = RUNNER.invoke(app, [*arguments, "--class-name", "Sugar", "--out", str(tmp_path / "out")])
    files = [line["file"] for line in lines(other.stdout) if line["event"] == "heat_map"]
    assert files == [f"{first.name}_Sugar.jpg"]


def test_info_shows_the_model_and_where_engines_are_noted() -> None:
    (description,) = lines(RUNNER.invoke(app, ["info", "--json"]).stdout)
    assert description["model"]["classes"] == "Fish, Flower, Gravel, Sugar"  # type: ignore[index]
    assert description["packages"]["numpy"]  # type: ignore[index]
    shown = RUNNER.invoke(app, ["info"]).stdout
    assert "chosen engines" in shown
    assert description["nephoscope"]["version"] in shown  # type: ignore[index]


def test_info_shows_the_chosen_engines(finished: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPHOSCOPE_CACHE", str(tmp_path))
    question = ["info", "--json", "--model", str(finished.export.model)]
    (before,) = lines(RUNNER.invoke(app, question).stdout)
    assert "engine not chosen yet" in before["model"]["segmenter-seed0"]  # type: ignore[index]
    open_portable(finished.export.model)
    (after,) = lines(RUNNER.invoke(app, question).stdout)
    assert after["model"]["segmenter-seed0"].endswith(("engine openvino", "engine onnx", "engine torch"))  # type: ignore[index]


def test_info_works_without_a_model_and_without_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (description,) = lines(RUNNER.invoke(app, ["info", "--json", "--model", str(tmp_path)]).stdout)
    assert "holds no portable model" in description["model"]["problem"]  # type: ignore[index]
    assert description["machine"]["cores"]  # type: ignore[index]


def test_info_shows_how_a_file_was_made(tmp_path: Path) -> None:
    write_json(tmp_path / PROVENANCE_FILE, PROVENANCE.to_attributes())
    (tmp_path / "summary.csv").touch()
    (described,) = lines(RUNNER.invoke(app, ["info", str(tmp_path / "summary.csv"), "--json"]).stdout)
    assert described["attributes"] == PROVENANCE.to_attributes()
    assert "nephoscope_model" in RUNNER.invoke(app, ["info", str(tmp_path)]).stdout
    (described,) = lines(RUNNER.invoke(app, ["info", str(SHIPPED), "--json"]).stdout)
    assert described["model"]["classes"] == "Fish, Flower, Gravel, Sugar"  # type: ignore[index]


def test_the_report_of_a_run_is_opened(finished: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = finished.report.page
    assert page.is_file()
    assert RUNNER.invoke(app, ["report", str(finished.root)]).stdout.strip() == str(page)
    assert opened == [page.resolve().as_uri()]
    quiet = RUNNER.invoke(app, ["report", str(finished.root), "--no-show"])
    program = RUNNER.invoke(app, ["report", str(finished.root), "--json"])
    assert (quiet.exit_code, program.exit_code, len(opened)) == (0, 0, 1)
    assert lines(program.stdout) == [{"event": "report", "page": str(page)}]


def test_a_run_elsewhere_without_a_report_says_where_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `nephoscope report` in the folder"):
        reporting.open_report(tmp_path, show=False)


def test_a_missing_run_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone: no such folder; .*, or run `dvc repro`"):
        reporting.open_report(tmp_path / "gone", show=False)


def test_outputs_are_chosen_by_name() -> None:
    assert parse_outputs("coco,masks,") == ("masks", "coco")
    with pytest.raises(UserError, match=f"pngs is unknown; choose any of {', '.join(OUTPUTS)}"):
        parse_outputs("pngs")


def test_a_bug_has_its_own_exit_code() -> None:
    done = run_python(
        "from nephoscope.cli import commands; commands.parse_outputs = lambda _: 1 / 0; commands.main()",
        "predict",
        "a.jpg",
    )
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    done = run_python(
        "import sys; sys.modules['fastapi'] = None; from nephoscope.cli.commands import main; main()", "serve"
    )
    assert done.returncode == 2
    assert "fastapi is not installed; run `python -m pip install 'nephoscope[app]'`" in done.stderr
