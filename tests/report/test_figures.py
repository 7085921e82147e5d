"""Figures show just what their tables say, in colours that the page decides."""

import re

import numpy as np
import pandas as pd
import pytest

from nephoscope.figures.colours import CLASS_COLOURS
from nephoscope.figures.evaluation import Line, draw_curves, draw_dice_per_class, draw_history, draw_intervals
from nephoscope.figures.overlays import outline_confusion
from nephoscope.figures.svg import VARIABLES, readable_on_white, to_svg
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


def test_the_chosen_point_is_a_dot_on_its_place() -> None:
    figure = draw_curves(CURVES, [Line("Fish", (0.5, 0.8))])
    _, dot = figure.axes[0].lines
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([0.5], [0.8])


def test_curves_and_dots_can_be_found_one_by_one() -> None:
    svg = to_svg(draw_curves(CURVES, [Line("Fish", (0.5, 0.8)), Line("Sugar")]), "pixels", "")
    found = re.findall(r'id="(pixels-(?:curve|chosen)-\d)"', svg)
    assert sorted(found) == ["pixels-chosen-0", "pixels-curve-0", "pixels-curve-1"]


def test_a_reference_without_an_interval_is_a_dot_alone() -> None:
    with_intervals = draw_dice_per_class(DICE.head(2), "nephoscope").axes[0].lines
    with_human = draw_dice_per_class(DICE, "nephoscope").axes[0].lines
    assert len(with_human) - len(with_intervals) == 2  # its entry in the legend and its dot


def test_rows_of_intervals_stand_in_the_order_of_the_table() -> None:
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
def test_a_history_may_have_any_columns(columns: dict[str, list[float]], panels: int) -> None:
    figure = draw_history(history(**columns), {"a": 1})
    assert len(figure.axes) == panels
    assert "rate" not in to_svg(figure, "history", "")


def test_the_chosen_epoch_of_each_member_is_a_dot() -> None:
    lines = draw_history(history(validation_loss=[3, 2, 5, 4]), {"a": 1, "b": 0}).axes[0].lines
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines if line.get_marker() == "o"]
    assert dots == [(1, 2), (0, 5)]


def test_an_svg_is_the_same_every_time_and_brings_no_colours_of_its_own() -> None:
    first, second = (to_svg(draw_curves(CURVES, [Line("Fish", (0.5, 0.8))]), "pr", "") for _ in range(2))
    assert first == second
    assert not re.search(r"#[0-9a-f]{6}\b", first)
    assert set(re.findall(r"var\(--([\w-]+)\)", first)) <= set(VARIABLES.values())
    assert "<style" not in first
    assert "http" not in first


def test_two_figures_of_a_page_share_no_ids() -> None:
    one, other = (to_svg(draw_curves(CURVES, [Line("Fish")]), name, "") for name in ("one", "other"))
    ids, others = (set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (one, other))
    assert ids
    assert not ids & others
    assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", one)) <= ids


def test_what_a_figure_says_to_those_who_hear_it_is_escaped() -> None:
    assert 'aria-label="&lt;b> &quot;a&quot; &amp; b"' in to_svg(draw_curves(CURVES, []), "x", '<b> "a" & b')


@pytest.mark.parametrize("colour", CLASS_COLOURS)
def test_lines_on_white_can_be_seen(colour: tuple[int, int, int]) -> None:
    values = [int(readable_on_white(colour)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    assert 1.05 / (np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05) >= 2.95


def test_every_outcome_has_its_outline() -> None:
    truth, predicted = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
    assert outline_confusion(truth, predicted) == {
        "hit": "M0 0l0 1 1 0 0-1z",
        "miss": "M1 0l0 1 1 0 0-1z",
        "false alarm": "M2 0l0 1 1 0 0-1z",
        "right nothing": "M0 0H4V1H0zM0 0l0 1 3 0 0-1z",
    }


def test_outcomes_that_do_not_occur_have_no_outline() -> None:
    nothing = np.zeros((2, 3), bool)
    assert outline_confusion(nothing, nothing) == {"right nothing": "M0 0H3V2H0z"}
