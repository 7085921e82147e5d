"""The templates of `dvc plots` exist and draw the data as DVC passes it: all values are text."""

import json
from typing import Any

import pytest
import vl_convert
import yaml

from tests.builders.source_tree import ROOT

TEMPLATES = ROOT / ".dvc" / "plots"
PLOTS = [next(iter(plot.values())) for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["plots"]]
BUILT_IN = {"linear"}
ROWS: dict[str, list[dict[str, str]]] = {
    "tuned_and_honest": [
        {"estimate": "tuned", "class_name": "Fish", "dice": "0.6", "low": "0.5", "high": "0.7"},
        {"estimate": "cross-fitted", "class_name": "Fish", "dice": "", "low": "", "high": ""},
        {"estimate": "gap", "class_name": "Fish", "dice": "", "low": "", "high": ""},
    ],
    "surface": [
        {"class_name": "Fish", "pixel_threshold": level, "min_area": "0", "dice": "0.6", "within_noise": "True"}
        for level in ("9", "100")
    ],
    "band_by_class": [
        {"class_name": "Fish", "presence_threshold": x, "dice": "0.5", "low": "0.4", "high": "0.6"} for x in ("0", "1")
    ],
}


def test_every_template_in_use_exists() -> None:
    used = {plot["template"] for plot in PLOTS} - BUILT_IN
    assert {path.stem for path in TEMPLATES.glob("*.json")} == used


def test_every_plotted_file_is_written_by_a_stage() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"].values()
    outs = [out for stage in stages for out in stage["outs"]]
    for path in (next(iter(plot[axis])) for plot in PLOTS for axis in ("x", "y")):
        assert any(path == out or path.startswith(f"{out}/") for out in outs), path


@pytest.mark.parametrize(
    ("template", "x", "y", "texts"),
    [
        ("tuned_and_honest", "dice", "estimate", ["Fish", "tuned", "HEAD", "workspace"]),
        ("surface", "pixel_threshold", "min_area", ["Fish", "HEAD", "workspace", "within noise of the best"]),
        ("band_by_class", "presence_threshold", "dice", ["Fish", "HEAD", "workspace"]),
    ],
)
def test_revisions_are_drawn_beside_each_other(template: str, x: str, y: str, texts: list[str]) -> None:
    rows = [{**row, "rev": rev} for rev in ("HEAD", "workspace") for row in ROWS[template]]
    svg = vl_convert.vegalite_to_svg(filled(template, rows, x, y))
    for text in texts:
        assert f">{text}</text>" in svg
    assert ">gap</text>" not in svg
    assert ">cross-fitted</text>" not in svg, "rows without a value are left out"
    assert "NaN" not in svg


def test_numbers_are_sorted_as_numbers() -> None:
    rows = [{**row, "rev": "workspace"} for row in ROWS["surface"]]
    svg = vl_convert.vegalite_to_svg(filled("surface", rows, "pixel_threshold", "min_area"))
    assert svg.index(">9</text>") < svg.index(">100</text>")


def filled(template: str, rows: list[dict[str, str]], x: str, y: str) -> dict[str, Any]:
    """The template with its anchors filled as DVC does."""
    text = (TEMPLATES / f"{template}.json").read_text("utf-8").replace('"<DVC_METRIC_DATA>"', json.dumps(rows))
    anchors = {"X": x, "Y": y, "X_LABEL": "x", "Y_LABEL": "y", "TITLE": "title"}
    for anchor, value in anchors.items():
        text = text.replace(f"<DVC_METRIC_{anchor}>", value)
    return dict(json.loads(text))
