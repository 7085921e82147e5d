"""Figures of an evaluation show their tables."""

import re

import numpy as np
import pandas as pd
import pytest

from nephoscope.figures.evaluation import Line, draw_curves, draw_dice_per_class, draw_history, draw_intervals
from nephoscope.figures.svg import to_svg
from tests.builders.curves import CURVES

NAN = float("nan")
DICE = pd.DataFrame(
    [
        ("nephoscope", "Fish", 0.6, 0.5, 0.7),
        ("all masks empty", "Fish", 0.4, 0.3, 0.5),
        ("human", "Fish", 0.58, NAN, NAN),
    ],
    columns=["reference", "class_name", "dice", "low", "high"],
)


def history(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"member": ["a", "a", "b", "b"], "epoch": [0, 1, 0, 1], **columns})


def test_the_area_under_the_drawn_steps_is_the_average_precision() -> None:
    figure = draw_curves(CURVES, [Line("Fish")])
    line = figure.axes[0].lines[0]
    recall, precision = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert line.get_drawstyle() == "steps-pre"
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(0.25 * 1 + 0.25 * 0.8 + 0.5 * 0.4)


def test_a_dot_marks_the_chosen_point() -> None:
    figure = draw_curves(CURVES, [Line("Fish", (0.5, 0.8))])
    _, dot = figure.axes[0].lines
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([0.5], [0.8])


def test_curves_and_dots_have_their_own_ids() -> None:
    svg = to_svg(draw_curves(CURVES, [Line("Fish", (0.5, 0.8)), Line("Sugar")]), "pixels", "")
    ids = re.findall(r'id="(pixels-(?:curve|chosen)-\d)"', svg)
    assert sorted(ids) == ["pixels-chosen-0", "pixels-curve-0", "pixels-curve-1"]


def test_a_reference_without_an_interval_is_only_a_dot() -> None:
    with_intervals = draw_dice_per_class(DICE.head(2), "nephoscope").axes[0].lines
    with_human = draw_dice_per_class(DICE, "nephoscope").axes[0].lines
    assert len(with_human) - len(with_intervals) == 2  # legend entry and dot


def test_intervals_have_the_order_of_the_table() -> None:
    texts = draw_intervals(DICE.rename(columns={"reference": "label"}), "nephoscope").axes[0].texts
    assert [text.get_text() for text in texts] == ["nephoscope", "all masks empty", "human"]
    assert [text.get_fontweight() for text in texts] == ["bold", "normal", "normal"]


@pytest.mark.parametrize(
    ("columns", "panels"),
    [
        (
            {"train_loss": [3, 2, 3, 2], "validation_loss": [3, 2, 3, 2.5], "dice": [0, 1, 0, 1], "head_rate": [1] * 4},
            2,
        ),
        ({"train_loss": [3, 2, 3, 2]}, 1),
        ({"pr_auc": [NAN, 0.2, 0.1, 0.3]}, 1),
        ({}, 1),
    ],
)
def test_a_history_can_have_any_columns(columns: dict[str, list[float]], panels: int) -> None:
    figure = draw_history(history(**columns), {"a": 1})
    assert len(figure.axes) == panels
    assert "rate" not in to_svg(figure, "history", "")


def test_a_dot_marks_the_chosen_epoch_of_every_member() -> None:
    lines = draw_history(history(validation_loss=[3, 2, 5, 4]), {"a": 1, "b": 0}).axes[0].lines
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines if line.get_marker() == "o"]
    assert dots == [(1, 2), (0, 5)]
