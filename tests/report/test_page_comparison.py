"""The page compares the present run with an earlier one where the settings name it."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

import stages.report
from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.figures.tables import Cell
from nephoscope.report.comparison import show_comparison
from nephoscope.settings.params import Params


def scores(**dices: list[float]) -> pd.DataFrame:
    rows = [(f"{n}.jpg", name, 5, dice) for name, column in dices.items() for n, dice in enumerate(column)]
    return pd.DataFrame(rows, columns=["image_id", "class_name", "truth_area", "dice"])


@pytest.mark.parametrize(
    ("present", "decision", "difference"),
    [
        ([0.75, 0.5, 0.25], "is better", Cell("+0.250", "+0.250 to +0.250")),
        ([0.25, 0.0, -0.25], "is worse", Cell("-0.250", "-0.250 to -0.250")),
        ([0.5, 0.25, 0.0], "cannot be told apart", Cell("+0.000", "+0.000 to +0.000")),
    ],
)
def test_runs_are_compared_picture_by_picture(
    tmp_path: Path, present: list[float], decision: str, difference: Cell
) -> None:
    scores(Fish=[0.5, 0.25, 0.0]).to_csv(tmp_path / "scores.csv", index=False)
    compared = show_comparison(tmp_path, scores(Fish=present), Bootstrap(50))
    assert decision in compared.decision
    assert compared.table.columns == ("class", "earlier", "present", "difference", "better")
    mean, fish = compared.table.rows
    assert (mean[0].text, fish[0].text) == ("mean", "Fish")
    assert mean[1:4] == (Cell("0.250"), Cell(f"{sum(present) / 3:.3f}"), difference)
    assert compared.table.highlighted == "mean"


def test_the_share_of_resamples_that_are_ahead_is_told(tmp_path: Path) -> None:
    scores(Fish=[0.5, 0.5]).to_csv(tmp_path / "scores.csv", index=False)
    compared = show_comparison(tmp_path, scores(Fish=[0.6, 0.6]), Bootstrap(50))
    assert compared.table.rows[0][4] == Cell("100.0\N{NO-BREAK SPACE}%")


def test_a_page_names_the_earlier_run_where_it_is_set(labelled_run: tuple[Params, Artifacts], tmp_path: Path) -> None:
    params, artifacts = labelled_run
    earlier = Path(shutil.copytree(artifacts.evaluate.tables, tmp_path / "earlier"))
    stages.report.main(compared_with(params, earlier), artifacts)
    html = artifacts.report.page.read_text("utf-8")
    assert '<section id="earlier">' in html
    assert '<a href="#earlier">' in html
    assert "The two runs cannot be told apart" in html
    assert html.index('id="dice"') < html.index('id="earlier"') < html.index('id="rule"')


def test_a_missing_folder_is_named_with_the_way_out(labelled_run: tuple[Params, Artifacts], tmp_path: Path) -> None:
    params, artifacts = labelled_run
    with pytest.raises(UserError, match=r"report\.earlier: .*nowhere/scores\.csv is missing.*copy the folder"):
        stages.report.main(compared_with(params, tmp_path / "nowhere"), artifacts)


def compared_with(params: Params, earlier: Path) -> Params:
    return params.model_copy(update={"report": params.report.model_copy(update={"earlier": earlier})})
