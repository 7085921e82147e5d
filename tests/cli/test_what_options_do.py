"""Options reach the functions that need them; exit codes and tables say what happened."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from nephoscope.batch import predict as predicting
from nephoscope.batch.occurrence import dataset as counting
from nephoscope.cli.commands import _exit_if_skipped, app
from nephoscope.cli.imagery import _parse_size
from nephoscope.cli.json_lines import write_heat_maps
from nephoscope.cli.terminal import show_records
from nephoscope.data.formats import CLOUDS
from tests.builders.batch_runs import decided

RUNNER = CliRunner()


class Called(Exception):  # noqa: N818
    """Ends a command where it would begin to work."""


def capture(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> dict[str, Any]:
    """The keyword arguments of the next call."""
    given: dict[str, Any] = {}

    def call(*_: object, **arguments: object) -> None:
        given.update(arguments)
        raise Called

    monkeypatch.setattr(module, name, call)
    return given


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_predict_places_and_writes_as_it_was_asked_to(monkeypatch: pytest.MonkeyPatch, zarr_format: int) -> None:
    given = capture(monkeypatch, predicting, "predict_pictures")
    options = ["--bounds=-61,10,-40,24", "--time", "2020-01-31", "--overlap", "0.25", "--zarr-format", str(zarr_format)]
    result = RUNNER.invoke(app, ["predict", "a.jpg", *options, "--write", "zarr", "--shard-size", "8"])
    assert isinstance(result.exception, Called)
    wanted = given["options"]
    assert (wanted.bounds, wanted.time, wanted.overlap) == ((-61, 10, -40, 24), "2020-01-31", 0.25)
    assert (wanted.zarr_format, given["outputs"], given["shard_size"]) == (zarr_format, ("zarr",), 8)


@pytest.mark.parametrize("quantity", ["masks", "presence"])
def test_grid_counts_what_it_was_asked_to(monkeypatch: pytest.MonkeyPatch, quantity: str) -> None:
    given = capture(monkeypatch, counting, "grid_occurrence")
    options = ["--from", quantity, "--by", "season", "--cell", "5", "--least-seen", "0.75"]
    assert isinstance(RUNNER.invoke(app, ["grid", "maps", *options]).exception, Called)
    assert {name: given[name] for name in ("quantity", "by", "cell", "least_seen")} == {
        "quantity": quantity, "by": "season", "cell": 5, "least_seen": 0.75,
    }  # fmt: skip


def test_a_tile_is_width_times_height() -> None:
    assert _parse_size("21x14") == (21, 14)


def test_a_single_skipped_image_changes_the_exit_code() -> None:
    _exit_if_skipped("out", 0)
    with pytest.raises(typer.Exit) as end:
        _exit_if_skipped("out", 1)
    assert end.value.exit_code == 1


def test_the_mean_area_is_that_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fish covers a tenth of one image of four, and nothing of the others."""
    tenth = f"1 {350 * 525 // 10}"
    records = [decided(f"{number}.jpg", (tenth if number == 0 else "", "", "", "")).record for number in range(4)]
    shown = StringIO()
    monkeypatch.setattr("nephoscope.cli.terminal.Console", lambda **_: Console(file=shown, width=80))
    show_records(iter(records), CLOUDS)
    (fish,) = (line for line in shown.getvalue().splitlines() if "Fish" in line)
    assert "1 of 4" in fish
    assert "2.5%" in fish


def test_heat_maps_of_other_images_in_the_folder_are_not_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "b.jpg"
    picture.touch()
    rows = [f"{name}.jpg,{of},0.5,{name}.jpg_{of}.jpg" for name in "abc" for of in ("Fish", "Sugar")]
    (tmp_path / "summary.csv").write_text("\n".join(["image_id,class_name,presence,file", *rows]), "utf-8")
    (tmp_path / "problems.csv").write_text("image_id,problem\n", "utf-8")
    write_heat_maps([str(picture)], tmp_path, ["Sugar"])
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["file"] == "b.jpg_Sugar.jpg"
