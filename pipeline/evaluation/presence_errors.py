"""The worst errors of presence: classes that were missed although they are there, and false alarms."""

from collections.abc import Iterator

import pandas as pd

from pipeline.evaluation.kinds import FALSE_ALARM, MISSED
from pipeline.masks.rule import Rules

COLUMNS = ("image_id", "class_name", "presence", "truth", "predicted", "error")


def find_worst_errors(judgements: pd.DataFrame, rules: Rules, count: int) -> pd.DataFrame:
    """Of each class at most `count` misses, lowest presence first, then as many false alarms, highest first.

    What is decided is presence alone, as the presence threshold does it: whether the mask then turned out empty
    because its components were too small is another question.
    """
    table = pd.concat([judgements.iloc[:0], *_each(judgements, rules, count)]) if count else judgements.iloc[:0]
    table = table.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    return table.astype({"truth": int, "predicted": int})


def _each(judgements: pd.DataFrame, rules: Rules, count: int) -> Iterator[pd.DataFrame]:
    for class_name, rule in zip(rules.classes, rules.rules, strict=True):
        rows = judgements[judgements["class_name"] == class_name].sort_values(["presence", "image_id"])
        truth, predicted = rows["truth_area"] > 0, rows["presence"] >= rule.presence_threshold
        rows = rows.assign(truth=truth, predicted=predicted)
        yield rows[truth & ~predicted].head(count).assign(error=MISSED)
        yield rows[~truth & predicted].iloc[::-1].head(count).assign(error=FALSE_ALARM)
