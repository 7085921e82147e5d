"""Error types: what a prediction got right or wrong about a class in an image."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nephoscope.rules.rules import Rules

MISSED, FALSE_ALARM, POOR_OVERLAP, RIGHT = "missed", "false alarm", "poor overlap", "right"
KINDS = {
    MISSED: "annotated, but nothing is predicted",
    FALSE_ALARM: "predicted, but nothing is annotated",
    POOR_OVERLAP: "annotated and predicted, with a Dice below 0.5",
    RIGHT: "annotated and predicted, with a Dice of 0.5 or more",
}
"""Error type → its meaning"""
RIGHTLY_EMPTY = "rightly empty"
"""Neither annotated nor predicted"""
POOR = 0.5


def error_types_of(scores: pd.DataFrame) -> pd.Series:
    """truth_area, predicted_area, dice → the error type of every row."""
    annotated, predicted = scores["truth_area"] > 0, scores["predicted_area"] > 0
    cases = {
        RIGHTLY_EMPTY: ~annotated & ~predicted,
        MISSED: ~predicted,
        FALSE_ALARM: ~annotated,
        POOR_OVERLAP: scores["dice"] < POOR,
    }
    return pd.Series(np.select(list(cases.values()), list(cases), RIGHT), scores.index, name="kind")


def count_error_types(scores: pd.DataFrame) -> pd.DataFrame:
    """class_name and a column per error type with its number of images."""
    counts = pd.crosstab(scores["class_name"], error_types_of(scores))
    order = pd.unique(scores["class_name"])
    counts = counts.reindex(index=order, columns=[*KINDS, RIGHTLY_EMPTY], fill_value=0)
    return counts.rename_axis(index="class_name", columns=None).reset_index()


COLUMNS = ("image_id", "class_name", "presence", "truth", "predicted", "error")


def find_worst_errors(scores: pd.DataFrame, rules: Rules, count: int) -> pd.DataFrame:
    """Per class at most `count` misses (lowest presence first) and `count` false alarms (highest presence first).

    Only the decision on presence counts. Whether a mask became empty later, by its minimum area, is ignored.
    """
    table = pd.concat([scores.iloc[:0], *_worst_per_class(scores, rules, count)]) if count else scores.iloc[:0]
    table = table.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    return table.astype({"truth": int, "predicted": int})


def _worst_per_class(scores: pd.DataFrame, rules: Rules, count: int) -> Iterator[pd.DataFrame]:
    for class_name, rule in zip(rules.classes, rules.rules, strict=True):
        rows = scores[scores["class_name"] == class_name].sort_values(["presence", "image_id"])
        truth, predicted = rows["truth_area"] > 0, rows["presence"] >= rule.presence_threshold
        rows = rows.assign(truth=truth, predicted=predicted)
        yield rows[truth & ~predicted].head(count).assign(error=MISSED)
        yield rows[~truth & predicted].iloc[::-1].head(count).assign(error=FALSE_ALARM)
