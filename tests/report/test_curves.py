"""Points of a curve for the cursor: few, measured, and with the tuned one."""

import numpy as np
import pandas as pd
import pytest

from nephoscope.figures.evaluation import Line, draw_curves
from nephoscope.figures.svg import to_svg
from nephoscope.report.curves import MOST_POINTS, axes_box, curve_data, point_at, show_pixel_curves, thin
from nephoscope.rules.rules import Rule, Rules
from tests.builders.curves import CURVES

LONG = pd.DataFrame(
    {
        "threshold": np.linspace(1, 0, 2001),
        "recall": np.linspace(0, 1, 2001),
        "precision": np.linspace(1, 0.5, 2001),
    }
)


def test_the_point_of_a_threshold_is_the_last_one_at_or_above_it() -> None:
    curve = pd.DataFrame(
        {"threshold": [200 / 255, 128 / 255, 3 / 255], "recall": [0.1, 0.5, 1], "precision": [1, 0.8, 0.2]}
    )
    assert point_at(curve, 128 / 255) == (0.5, 0.8)
    assert point_at(curve, 129 / 255) == (0.1, 1.0)
    assert point_at(curve, 255 / 255) is None


def test_a_long_curve_keeps_its_ends_and_the_tuned_point() -> None:
    data = curve_data(Line("Fish", (0.1235, 0.93825)), LONG)
    points = data["points"]
    assert MOST_POINTS <= len(points) <= MOST_POINTS + 2
    assert (points[0], points[-1]) == ([1, 0, 1], [0, 1, 0.5])
    assert points[data["chosen"]] == [0.8765, 0.1235, 0.9382]
    assert max(np.diff([recall for _, recall, _ in points])) < 1.5 / MOST_POINTS, "evenly"


def test_a_short_curve_keeps_every_point() -> None:
    assert curve_data(Line("Fish", (0.5, 0.8)), CURVES) == {
        "name": "Fish",
        "points": [[0.9, 0.25, 1.0], [0.6, 0.5, 0.8], [0.2, 1.0, 0.4]],
        "chosen": 1,
    }


@pytest.mark.parametrize("curve", [CURVES, CURVES.head(0)])
def test_a_curve_without_a_tuned_point_marks_none(curve: pd.DataFrame) -> None:
    assert curve_data(Line("Fish"), curve)["chosen"] == -1


def test_identical_points_are_reduced_to_both_ends() -> None:
    assert thin(np.ones((5, 2)), 2) == [0, 4]


def test_the_axes_box_matches_the_drawing() -> None:
    figure = draw_curves(CURVES, [Line("Fish")])
    to_svg(figure, "curves", "")
    box = axes_box(figure)
    axes = figure.axes[0]
    for recall, precision in ((0, 0), (0.25, 1)):
        x, y = figure.transFigure.inverted().transform(axes.transData.transform((recall, precision)))
        assert box["left"] + recall * (box["right"] - box["left"]) == pytest.approx(x, abs=1e-4)
        assert box["bottom"] - precision * (box["bottom"] - box["top"]) == pytest.approx(1 - y, abs=1e-4)


def test_the_legend_names_every_curve_even_without_average_precision() -> None:
    table = pd.DataFrame({"class_name": ["Fish", "Sugar"], "average_precision": [0.65, np.nan]})
    rule = Rule(presence_threshold=0, pixel_threshold=153, min_area=0)
    rules = Rules.model_construct(classes=("Fish", "Sugar"), rules=(rule, rule))
    plot = show_pixel_curves(table, CURVES, rules)
    assert [(entry.class_name, entry.average_precision, entry.colour) for entry in plot.legend] == [
        ("Fish", "0.650", "--class-0"),
        ("Sugar", "n/a", "--class-1"),
    ]
    assert plot.data["curves"][0]["chosen"] == 1
    assert plot.data["curves"][1]["points"] == []
