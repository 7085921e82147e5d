"""Everything that an evaluation measures, and the files in which it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nephoscope.data.formats.definition import HumanDice
from nephoscope.evaluation.calibration import EVERY_CLASS, brier_table, confidence_table, reliability_table, statements
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.precision_recall import Curve, mean_precision, pixel_curves, presence_curves
from nephoscope.evaluation.scores import score_images
from nephoscope.evaluation.tables import (
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
    metrics: dict[str, Any]

    def write(self, tables: Path, curves: Path) -> None:
        write_tables(tables, self.tables)
        write_tables(curves, self.curves, plotted=True)


def evaluate_rules(labelled: LabelledSplit, rules: Rules, bootstrap: Bootstrap, human: HumanDice | None) -> Evaluation:
    """Judged pictures and rules → tables, precision-recall curves and the metrics of a run."""
    scores = score_images(labelled, rules)
    classes, present = labelled.classes, scores.present
    stated = statements(labelled.raw, rules)
    presence = presence_curves(scores.fused, present)
    pixels = pixel_curves(labelled, len(classes))
    tables = {
        "dice": dice_table(scores, bootstrap, human),
        "steps": step_table(scores, bootstrap),
        "presence": presence_table(scores, rules).assign(average_precision=[c.average_precision for c in presence]),
        "pixels": pixel_table(scores).assign(average_precision=[c.average_precision for c in pixels]),
        "pictures": picture_table(scores),
        "scores": scores.table(),
        "reliability": reliability_table(stated, present, classes),
        "brier": brier_table(stated, present, classes, bootstrap),
        "confidence_marks": confidence_table(decide_presence(labelled.raw, rules), present, classes),
    }
    curves = {
        "presence": _curve_table(presence, (*classes, "any")),
        "pixels": _curve_table(pixels, classes),
    }
    metrics = {
        "pictures": len(labelled),
        "dice": _dice_metrics(tables["dice"]),
        "presence_average_precision": _precision_metrics(presence, (*classes, "any")),
        "pixel_average_precision": _precision_metrics(pixels, classes),
        "brier": _brier_metrics(tables["brier"]),
    }
    return Evaluation(tables, curves, metrics)


def _curve_table(curves: Sequence[Curve], names: Sequence[str]) -> pd.DataFrame:
    return pd.concat([curve.table(name) for curve, name in zip(curves, names, strict=True)], ignore_index=True)


def _dice_metrics(table: pd.DataFrame) -> dict[str, Any]:
    """The tables' first lines as numbers: ours by class, and the mean of every reference."""
    ours, means = table[table["reference"] == OURS], table[table["class_name"] == "mean"]
    references = means[means["reference"] != OURS]
    return {
        **dict(zip(ours["class_name"], ours["dice"], strict=True)),
        "low": float(ours["low"].iloc[0]),
        "high": float(ours["high"].iloc[0]),
        "references": dict(zip(references["reference"], references["dice"], strict=True)),
    }


def _brier_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Of all classes together, by whoever stated it."""
    pooled = table[table["class_name"] == EVERY_CLASS]
    return dict(zip(pooled["source"], pooled["brier"], strict=True))


def _precision_metrics(curves: Sequence[Curve], names: Sequence[str]) -> dict[str, float]:
    precisions = {name: curve.average_precision for name, curve in zip(names, curves, strict=True)}
    return {"mean": mean_precision(c for c, name in zip(curves, names, strict=True) if name != "any"), **precisions}
