"""The chapters of a page that show results: Dice, steps of the rule, precision and recall."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.delivery.page_tables import Cell, Table, show_dice, show_rules, to_cell
from pipeline.evaluation.figures import Line, draw_curves, draw_dice_per_class, draw_intervals, draw_reliability
from pipeline.evaluation.outcomes import FALSE_ALARM, HIT, MISS, RIGHT_NOTHING
from pipeline.evaluation.reliability import CHANCE, EVERY_CLASS
from pipeline.evaluation.svg import to_svg
from pipeline.evaluation.tables import OURS
from pipeline.masks.rule import Rules

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Drawing:
    svg: Markup
    caption: str

    @classmethod
    def of_figure(cls, name: str, figure: Figure, caption: str) -> Self:
        return cls(Markup(to_svg(figure, name, caption)), caption)


@dataclass(frozen=True)
class Confusion:
    """Pixels of one class, 2×2: (outcome's name, share, count) row by row, annotated first."""

    class_name: str
    rows: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
    precision: str
    recall: str


@dataclass(frozen=True)
class Results:
    headline: Cell
    means: Table
    means_drawing: Drawing
    per_class: Table
    per_class_drawing: Drawing
    steps: Table
    steps_drawing: Drawing
    rules: Table
    presence: Table
    presence_drawing: Drawing
    reliability_drawing: Drawing
    brier: Table
    sureness: Table
    pixels_drawing: Drawing
    confusions: tuple[Confusion, ...]


def show_results(tables: Tables, curves: Tables, rules: Rules) -> Results:
    dice, steps, classes = tables["dice"], tables["steps"], list(rules.classes)
    means = dice[dice["class_name"] == "mean"].rename(columns={"reference": "label"})
    step_means = steps[steps["class_name"] == "mean"].rename(columns={"step": "label"})
    last_step = str(steps["step"].iloc[-1])
    of_classes = dice[dice["class_name"].isin(classes)]
    mean_table = show_dice("Mean Dice beside the references", dice, "reference", ["mean"])
    return Results(
        headline=mean_table.rows[0][1],
        means=mean_table,
        means_drawing=Drawing.of_figure(
            "means", draw_intervals(means, OURS), "Mean Dice and interval beside the references"
        ),
        per_class=show_dice("Dice per class", of_classes, "reference", classes),
        per_class_drawing=Drawing.of_figure(
            "classes", draw_dice_per_class(of_classes, OURS), "Dice and interval per class, beside the references"
        ),
        steps=show_dice("Dice after each step", steps, "step", ["mean", *classes], last_step),
        steps_drawing=Drawing.of_figure(
            "steps", draw_intervals(step_means, last_step), "Mean Dice and interval after each step of the rule"
        ),
        rules=show_rules(rules),
        presence=Table.of_frame("Presence at the tuned thresholds", tables["presence"]),
        presence_drawing=_presence_drawing(tables["presence"], curves["presence"]),
        reliability_drawing=_reliability_drawing(tables["reliability"]),
        brier=Table.of_frame("Brier score and error of calibration, before and after", _pooled(tables["brier"])),
        sureness=Table.of_frame("Decisions on presence, sure and unsure", tables["sureness"]),
        pixels_drawing=_pixels_drawing(tables["pixels"], curves["pixels"], rules),
        confusions=tuple(_confusion(row) for row in tables["pixels"].to_dict("records")),
    )


def _presence_drawing(table: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    rows = table.to_dict("records")
    points = [(float(row["recall"]), float(row["precision"])) for row in rows]
    lines = [
        Line(str(row["class_name"]), float(row["average_precision"]), None if np.isnan(point).any() else point)
        for row, point in zip(rows, points, strict=True)
    ]
    caption = "Presence: precision over recall; a dot is the tuned presence threshold"
    return Drawing.of_figure("presence", draw_curves(curves, lines), caption)


def _reliability_drawing(table: pd.DataFrame) -> Drawing:
    caption = (
        "Reliability of presence, all classes: the nearer to the diagonal, the more a probability means what it says"
    )
    return Drawing.of_figure("reliability", draw_reliability(_pooled(table), CHANCE), caption)


def _pooled(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["class_name"] == EVERY_CLASS].drop(columns="class_name")


def _pixels_drawing(table: pd.DataFrame, curves: pd.DataFrame, rules: Rules) -> Drawing:
    precisions = dict(zip(table["class_name"], table["average_precision"], strict=True))
    lines = [
        Line(name, float(precisions[name]), point_at(curves[curves["class_name"] == name], rule.pixel_threshold / 255))
        for name, rule in zip(rules.classes, rules.rules, strict=True)
    ]
    caption = "Pixels: precision over recall; a dot is the tuned pixel threshold alone, before area and presence"
    return Drawing.of_figure("pixels", draw_curves(curves, lines), caption)


def point_at(curve: pd.DataFrame, threshold: float) -> tuple[float, float] | None:
    """(recall, precision) where scores reach the threshold; thresholds of a curve descend."""
    # Half a level of slack: level / 255 came back from a text file.
    reached = curve[curve["threshold"] >= threshold - 0.5 / 255]
    return (float(reached["recall"].iloc[-1]), float(reached["precision"].iloc[-1])) if len(reached) else None


def _confusion(row: Mapping[Hashable, Any]) -> Confusion:
    counts = {outcome.name: int(row[outcome.name.replace(" ", "_")]) for outcome in (HIT, MISS, FALSE_ALARM)}
    counts[RIGHT_NOTHING.name] = int(row["right_nothing"])
    total = sum(counts.values())

    def cells(*names: str) -> tuple[tuple[str, str, str], ...]:
        return tuple((name, to_cell(counts[name] / total, "share").text, f"{counts[name]:,}") for name in names)

    hit = counts[HIT.name]
    return Confusion(
        str(row["class_name"]),
        (("annotated", cells(HIT.name, MISS.name)), ("not annotated", cells(FALSE_ALARM.name, RIGHT_NOTHING.name))),
        precision=_ratio(hit, hit + counts[FALSE_ALARM.name]),
        recall=_ratio(hit, hit + counts[MISS.name]),
    )


def _ratio(part: int, whole: int) -> str:
    return to_cell(part / whole if whole else None).text
