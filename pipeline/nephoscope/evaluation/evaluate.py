"""The whole evaluation of rules on a split: tables, precision-recall curves and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nephoscope.data.formats import HumanDice
from nephoscope.evaluation.calibration import brier_table, confidence_table, presence_sources, reliability_table
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.precision_recall import Curve, average_precisions, pixel_curves, presence_curves
from nephoscope.evaluation.scores import score_images
from nephoscope.evaluation.tables import (
    EMPTY,
    OURS,
    dice_table,
    picture_table,
    pixel_table,
    presence_table,
    step_table,
    write_tables,
)
from nephoscope.rules.presence import decide_presence
from nephoscope.rules.rules import Rules


@dataclass(frozen=True)
class Evaluation:
    tables: dict[str, pd.DataFrame]
    curves: dict[str, pd.DataFrame]
    """presence and pixels: threshold, recall, precision, class_name"""
    metrics: dict[str, float]

    def write(self, tables: Path, curves: Path) -> None:
        write_tables(tables, self.tables)
        write_tables(curves, self.curves, plotted=True)


def evaluate_rules(labelled: LabelledSplit, rules: Rules, bootstrap: Bootstrap, human: HumanDice | None) -> Evaluation:
    """Decide all images of a split by the rules, and measure the masks against the truth."""
    scores = score_images(labelled, rules)
    classes, present = labelled.classes, scores.present
    sources = presence_sources(labelled.raw, rules)
    presence = presence_curves(scores.fused, present)
    pixels = pixel_curves(labelled, len(classes))
    tables = {
        "dice": dice_table(scores, bootstrap, human),
        "steps": step_table(scores, bootstrap),
        "presence": presence_table(scores, rules).assign(average_precision=average_precisions(presence)),
        "pixels": pixel_table(scores).assign(average_precision=average_precisions(pixels)),
        "pictures": picture_table(scores),
        "scores": scores.table(),
        "reliability": reliability_table(sources, present, classes),
        "brier": brier_table(sources, present, classes, bootstrap),
        "confidence_levels": confidence_table(decide_presence(labelled.raw, rules), present, classes),
    }
    curves = {
        "presence": _curve_table(presence, (*classes, "any")),
        "pixels": _curve_table(pixels, classes),
    }
    return Evaluation(tables, curves, _headline(tables["dice"]))


def _curve_table(curves: Sequence[Curve], names: Sequence[str]) -> pd.DataFrame:
    return pd.concat([curve.table(name) for curve, name in zip(curves, names, strict=True)], ignore_index=True)


def _headline(dice: pd.DataFrame) -> dict[str, float]:
    """What `dvc metrics` shows: the mean Dice, its interval and the Dice of empty masks, to three decimals."""
    means = dice[dice["class_name"] == "mean"]
    ours, empty = (means[means["reference"] == reference] for reference in (OURS, EMPTY))
    metrics = {**{name: ours[name].iloc[0] for name in ("dice", "low", "high")}, "empty": empty["dice"].iloc[0]}
    return {name: round(float(value), 3) for name, value in metrics.items()}
