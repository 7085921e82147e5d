"""Sentences and ratios of the report follow from its numbers."""

import pandas as pd
import pytest

from nephoscope.report.comparison import describe_difference
from nephoscope.report.results import _confusion


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.02, "is better"), (-0.02, -0.01, "is worse"), (-0.01, 0.02, "No clear difference")],
)
def test_a_run_is_better_only_if_its_interval_lies_above_zero(low: float, high: float, words: str) -> None:
    assert words in describe_difference(pd.Series({"difference": (low + high) / 2, "low": low, "high": high}))


def test_precision_counts_false_alarms_and_recall_counts_misses() -> None:
    row = {"class_name": "Fish", "hit": 30, "false_alarm": 10, "miss": 20, "right_nothing": 40}
    confusion = _confusion(row)
    assert (confusion.precision, confusion.recall) == ("0.750", "0.600")
    cells = {name: (share, count) for _, row_cells in confusion.rows for name, share, count in row_cells}
    assert cells["false alarm"] == ("10.0\N{NO-BREAK SPACE}%", "10")
    assert cells["right nothing"] == ("40.0\N{NO-BREAK SPACE}%", "40")
