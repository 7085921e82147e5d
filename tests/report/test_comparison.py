"""The report compares the run with an earlier one if the settings name it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.tables import Cell
from nephoscope.report.build import build_report
from nephoscope.report.comparison import show_comparison
from nephoscope.settings.params import Params


def scores(**dices: list[float]) -> pd.DataFrame:
    rows = [(f"{n}.jpg", name, 5, dice) for name, column in dices.items() for n, dice in enumerate(column)]
    return pd.DataFrame(rows, columns=["image_id", "class_name", "truth_area", "dice"])


@pytest.mark.parametrize(
    ("present", "conclusion", "difference"),
    [
        ([0.75, 0.5, 0.25], "is better", Cell("+0.250", "+0.250 to +0.250")),
        ([0.25, 0.0, -0.25], "is worse", Cell("-0.250", "-0.250 to -0.250")),
        ([0.5, 0.25, 0.0], "No clear difference", Cell("+0.000", "+0.000 to +0.000")),
    ],
)
def test_runs_are_compared_image_by_image(
    tmp_path: Path, present: list[float], conclusion: str, difference: Cell
) -> None:
    scores(Fish=[0.5, 0.25, 0.0]).to_csv(tmp_path / "scores.csv", index=False)
    comparison = show_comparison(tmp_path, scores(Fish=present), Bootstrap(50))
    assert conclusion in comparison.conclusion
    assert comparison.table.columns == ("class", "earlier", "present", "difference", "better")
    mean, fish = comparison.table.rows
    assert (mean[0].text, fish[0].text) == ("mean", "Fish")
    assert mean[1:4] == (Cell("0.250"), Cell(f"{sum(present) / 3:.3f}"), difference)
    assert comparison.table.highlighted == "mean"


def test_the_share_of_resamples_with_a_higher_dice_is_shown(tmp_path: Path) -> None:
    scores(Fish=[0.5, 0.5]).to_csv(tmp_path / "scores.csv", index=False)
    comparison = show_comparison(tmp_path, scores(Fish=[0.6, 0.6]), Bootstrap(50))
    assert comparison.table.rows[0][4] == Cell("100.0\N{NO-BREAK SPACE}%")


def test_the_report_has_a_comparison_if_an_earlier_run_is_set(labelled_report: Path) -> None:
    html = labelled_report.read_text("utf-8")
    assert '<section id="earlier">' in html
    assert '<a href="#earlier">' in html
    assert "No clear difference between the two runs" in html
    assert html.index('id="dice"') < html.index('id="earlier"') < html.index('id="rule"')


def test_the_comparison_resamples_near_duplicates_together(
    labelled_run: tuple[Params, Artifacts], tmp_path: Path
) -> None:
    """If all images are near duplicates, every resample is the same and the interval has no width."""
    params, run = labelled_run[0], Artifacts(Path(shutil.copytree(labelled_run[1].root, tmp_path / "run")))
    present = read_table(run.evaluate.tables / "scores.csv")
    earlier = present.assign(dice=present["dice"] * np.linspace(0, 1, len(present)))
    earlier.to_csv(tmp_path / "scores.csv", index=False)
    alone = show_comparison(tmp_path, present, Bootstrap(100)).table.rows[0][3].detail
    assert len(set(alone.split(" to "))) == 2
    images = run.prepare.manifest / "images.csv"
    pd.read_csv(images, dtype=str).assign(group=0).to_csv(images, index=False)
    report = params.report.model_copy(update={"earlier": tmp_path})
    page = build_report(params.model_copy(update={"report": report}), run)
    section = page.read_text("utf-8").split('<section id="earlier">')[1]
    ends = re.search(r"([+-]\d\.\d{3}) to ([+-]\d\.\d{3})", section)
    assert ends
    assert ends[1] == ends[2]


def test_the_error_for_a_missing_folder_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"report\.earlier: .*nowhere/scores\.csv is missing.*copy the folder"):
        show_comparison(tmp_path / "nowhere", scores(Fish=[0.5]), Bootstrap(50))
