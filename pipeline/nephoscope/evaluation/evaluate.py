"""The whole evaluation of rules on a split: tables, precision-recall curves and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.formats import HumanDice
from nephoscope.evaluation.calibration import brier_table, confidence_table, presence_sources, reliability_table
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.precision_recall import Curve, average_precisions, pixel_curves, presence_curves
from nephoscope.evaluation.scores import ImageScores, join_scores, score_images, steps_of
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
from nephoscope.rules.presence import PresenceDecision, decide_presence
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
    return _evaluate(labelled, score_images(labelled, rules), decide_presence(labelled.raw, rules), bootstrap, human)


def evaluate_folds(
    labelled: LabelledSplit,
    folds: npt.NDArray[np.int64],
    fold_rules: Sequence[Rules],
    bootstrap: Bootstrap,
    human: HumanDice | None,
) -> Evaluation:
    """As `evaluate_rules`, but the images of fold k are decided by `fold_rules[k]`, which were tuned without them.

    folds: N, the fold of every image. The bootstrap needs the groups of `labelled`.
    """
    rows = [np.flatnonzero(folds == fold) for fold in range(len(fold_rules))]
    parts = [(labelled.take(part), rules) for part, rules in zip(rows, fold_rules, strict=True)]
    decisions = [decide_presence(part.raw, rules) for part, rules in parts]
    # Back in the order of `labelled`, so that groups and images stay together.
    order = np.argsort(np.concatenate(rows))
    scores = join_scores([score_images(*part, steps_of(*fold_rules)) for part in parts]).take(order)
    decision = PresenceDecision(*(np.concatenate(values)[order] for values in zip(*decisions, strict=True)))
    return _evaluate(labelled, scores, decision, bootstrap, human)


def _evaluate(
    labelled: LabelledSplit,
    scores: ImageScores,
    decision: PresenceDecision,
    bootstrap: Bootstrap,
    human: HumanDice | None,
) -> Evaluation:
    classes, present = labelled.classes, scores.present
    sources = presence_sources(labelled.raw, decision)
    presence = presence_curves(scores.fused, present)
    pixels = pixel_curves(labelled, len(classes))
    tables = {
        "dice": dice_table(scores, bootstrap, human),
        "steps": step_table(scores, bootstrap),
        "presence": presence_table(scores, decision.present).assign(average_precision=average_precisions(presence)),
        "pixels": pixel_table(scores).assign(average_precision=average_precisions(pixels)),
        "pictures": picture_table(scores),
        "scores": scores.table(),
        "reliability": reliability_table(sources, present, classes),
        "brier": brier_table(sources, present, classes, bootstrap),
        "confidence_levels": confidence_table(decision, present, classes),
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
