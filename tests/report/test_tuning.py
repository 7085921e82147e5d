"""The report shows how the rules were tuning."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.evaluation.tables import read_tables
from nephoscope.figures.tables import Cell
from nephoscope.files import read_json
from nephoscope.report.tuning import describe_gap, show_optimum, show_thresholds, show_trials, show_tuning
from nephoscope.rules.rules import Rules
from nephoscope.settings.params import Params

THRESHOLD_COLUMNS = ["class_name", "part", "chosen", "low", "high", "best", "plateau_low", "plateau_high"]


@pytest.fixture(scope="module")
def tables(labelled_run: tuple[Params, Artifacts]) -> dict[str, pd.DataFrame]:
    return read_tables(labelled_run[1].tune.tables)


def estimates(gap: float, low: float, high: float) -> pd.DataFrame:
    cross_fitted = 0.6 - gap
    rows = [
        ("tuned", 0.6, 0.5, 0.7),
        ("cross-fitted", cross_fitted, cross_fitted - 0.1, cross_fitted + 0.1),
        ("gap", gap, low, high),
    ]
    return pd.DataFrame(rows, columns=["estimate", "dice", "low", "high"]).assign(class_name="mean")


def test_the_chapter_shows_the_tables_of_tune(labelled_report: Path, tables: dict[str, pd.DataFrame]) -> None:
    html = labelled_report.read_text("utf-8")
    chapter = html[html.index('<section id="rule">') : html.index('<section id="training">')]
    for number in (*tables["estimates"]["dice"], *tables["optimum"]["best_dice"], *tables["trials"]["dice"]):
        assert f"{number:.3f}" in chapter
    for text in ("chosen rule", "exact optimum", "plateau", "presence threshold", "Dice behind the best of the class"):
        assert f">{text}</text>" in chapter


def test_every_class_has_a_row_and_a_panel(
    labelled_run: tuple[Params, Artifacts], tables: dict[str, pd.DataFrame]
) -> None:
    rules = Rules.model_validate(read_json(labelled_run[1].tune.rules))
    tuning = show_tuning(tables, rules.classes)
    assert [row[0].text for row in tuning.optimum.rows] == list(rules.classes)
    assert tuning.estimates.columns == ("estimate", "mean", *rules.classes)
    assert tuning.estimates.highlighted == "cross-fitted"
    for drawing in (tuning.surface_drawing, tuning.presence_drawing, tuning.estimates_drawing):
        for name in rules.classes:
            assert f">{name}</text>" in drawing.svg
    assert [trial.highlighted for trial in tuning.trials] == [
        str(value).replace("False", "no") for value in tables["trials"].loc[tables["trials"]["chosen"], "value"]
    ]


@pytest.mark.parametrize(
    ("gap", "low", "high", "words"),
    [
        (0.05, 0.02, 0.08, "a gap of +0.050, interval +0.020 to +0.080. The tuned Dice is too optimistic"),
        (0.01, -0.02, 0.04, "The interval contains 0"),
        (-0.05, -0.08, -0.02, "is not too optimistic"),
    ],
)
def test_the_gap_is_described_in_words(gap: float, low: float, high: float, words: str) -> None:
    assert words in describe_gap(estimates(gap, low, high))


def test_missing_cross_fitted_dice_is_shown_as_not_available(
    labelled_run: tuple[Params, Artifacts], tables: dict[str, pd.DataFrame]
) -> None:
    unknown = tables["estimates"].copy()
    unknown.loc[unknown["estimate"] != "tuned", ["dice", "low", "high"]] = np.nan
    classes = Rules.model_validate(read_json(labelled_run[1].tune.rules)).classes
    tuning = show_tuning({**tables, "estimates": unknown, "trials": tables["trials"].head(0)}, classes)
    assert "cross-fitted n/a: validation has too few images" in tuning.gap
    assert [cell.text for cell in tuning.estimates.rows[1]] == ["cross-fitted", *["n/a"] * (1 + len(classes))]
    assert "cross-fitted</text>" not in tuning.estimates_drawing.svg
    assert tuning.trials == ()


def test_a_threshold_is_shown_with_interval_optimum_and_plateau() -> None:
    rows = [
        ("Fish", "presence_threshold", 0.25, 0.125, 0.5, 0.375, 0.25, 0.25),
        ("Fish", "pixel_threshold", 102, 51, 153, 204, 102, 204),
        ("Fish", "min_area", 2500, 0, 12000, 2500, 1000, 3000),
    ]
    presence, pixel, area = show_thresholds(pd.DataFrame(rows, columns=THRESHOLD_COLUMNS)).rows
    assert [cell.text for cell in presence] == [
        "Fish", "presence threshold", "0.250", "0.125 to 0.500", "0.375", "0.250",
    ]  # fmt: skip
    assert pixel[2:4] == (Cell("0.400", "level 102"), Cell("0.200 to 0.600", "level 51 to 153"))
    assert area[2:] == (Cell("2,500"), Cell("0 to 12,000"), Cell("2,500"), Cell("1,000 to 3,000"))


def test_a_class_that_is_never_shown_is_marked() -> None:
    rows = [("Fish", "presence_threshold", 2.0, 0.5, 2.0, 2.0, 0.0, 1.0)]
    (row,) = show_thresholds(pd.DataFrame(rows, columns=THRESHOLD_COLUMNS)).rows
    assert [cell.text for cell in row[2:]] == [
        "never shown", "0.500 to never shown", "never shown", "every image to never shown",
    ]  # fmt: skip


def test_rules_without_a_presence_threshold_have_no_row_for_it() -> None:
    rows = [
        ("Fish", "presence_threshold", 0, 0, 0, 0, 0, 0),
        ("Fish", "pixel_threshold", 102, 51, 153, 204, 102, 204),
    ]
    table = show_thresholds(pd.DataFrame(rows, columns=THRESHOLD_COLUMNS))
    assert [row[1].text for row in table.rows] == ["pixel threshold"]
    assert "no presence threshold" in table.note


def test_a_small_plateau_is_never_shown_as_zero() -> None:
    frame = pd.DataFrame(
        {"class_name": ["a", "b"], "best_dice": [0.7, 0.6], "chosen_dice": [0.65, 0.6], "plateau_share": [0.067, 1e-4]}
    )
    wide, narrow = show_optimum(frame).rows
    assert [cell.text for cell in wide] == ["a", "0.700", "0.650", "6.7\N{NO-BREAK SPACE}%"]
    assert narrow[-1].text == "< 0.1\N{NO-BREAK SPACE}%"


def test_trials_are_compared_with_the_chosen_structure() -> None:
    rows = [
        ("family", "area", 0.66, 0.6, 0.7, 0.0, 0.0, 0.0, True),
        ("family", "pixel", 0.64, 0.58, 0.69, -0.02, -0.05, 0.01, False),
        ("force_top_class", "False", 0.66, 0.6, 0.7, 0.0, 0.0, 0.0, True),
    ]
    columns = ["part", "value", "dice", "low", "high", "difference", "difference_low", "difference_high", "chosen"]
    family, forced = show_trials(pd.DataFrame(rows, columns=columns))
    assert (family.caption, family.highlighted) == ("Rule family", "area")
    assert family.rows[0] == (Cell("area"), Cell("0.660", "0.600 to 0.700"), Cell("chosen"))
    assert family.rows[1][2] == Cell("-0.020", "-0.050 to +0.010")
    assert forced.highlighted == forced.rows[0][0].text == "no"
    assert not re.search("_", forced.caption)
