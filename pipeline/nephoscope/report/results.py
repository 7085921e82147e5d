"""Chapters with results on holdout: Dice, precision and recall, reliability, steps of the rule."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nephoscope.evaluation.calibration import CALIBRATED, EVERY_CLASS
from nephoscope.evaluation.tables import HUMAN_SINGLE, HUMAN_UNION, OURS
from nephoscope.figures.evaluation import draw_dice_per_class, draw_intervals, draw_reliability
from nephoscope.figures.overlays import FALSE_ALARM, HIT, MISS, RIGHT_NOTHING
from nephoscope.figures.svg import Drawing
from nephoscope.figures.tables import Cell, Table, dice_cell, show_dice, show_rules, to_cell
from nephoscope.report.curves import Plot, show_pixel_curves, show_presence_curves
from nephoscope.rules.rules import Rules

Tables = Mapping[str, pd.DataFrame]
HUMAN_MEANINGS = {
    HUMAN_UNION: "three annotators together against three others, on real images: the truth was made in this way",
    HUMAN_SINGLE: "one annotator against another, on real images",
}


@dataclass(frozen=True)
class Confusion:
    """Pixels of one class, 2×2, by the whole rule."""

    class_name: str
    rows: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
    """(heading, cells) of "annotated" and "not annotated"; a cell is (outcome, share, count)"""
    precision: str
    recall: str


@dataclass(frozen=True)
class HumanDice:
    """Agreement between annotators."""

    dice: str
    meaning: str


@dataclass(frozen=True)
class Card:
    """Summary of one class."""

    class_name: str
    dice: Cell
    human: str
    """Dice between annotators; empty if it was not measured"""


@dataclass(frozen=True)
class Results:
    headline: Cell
    humans: tuple[HumanDice, ...]
    """empty if the data format has no such measurement"""
    cards: tuple[Card, ...]
    means: Table
    means_drawing: Drawing
    per_class: Table
    per_class_drawing: Drawing
    steps: Table
    steps_drawing: Drawing
    rules: Table
    presence: Table
    presence_plot: Plot
    reliability_drawing: Drawing
    brier: Table
    confidence_levels: Table
    pixels_plot: Plot
    confusions: tuple[Confusion, ...]


def show_results(tables: Tables, curves: Tables, rules: Rules) -> Results:
    dice, steps, classes = tables["dice"], tables["steps"], list(rules.classes)
    means = dice[dice["class_name"] == "mean"].rename(columns={"reference": "label"})
    step_means = steps[steps["class_name"] == "mean"].rename(columns={"step": "label"})
    last_step = str(steps["step"].iloc[-1])
    of_classes = dice[dice["class_name"].isin(classes)]
    mean_table = show_dice("Mean Dice and references", dice, "reference", ["mean"])
    return Results(
        headline=mean_table.rows[0][1],
        humans=_humans(means),
        cards=_cards(of_classes, classes),
        means=mean_table,
        means_drawing=Drawing.of_figure(
            "means", draw_intervals(means, OURS), "Mean Dice with its interval, and references"
        ),
        per_class=show_dice("Dice per class", of_classes, "reference", classes),
        per_class_drawing=Drawing.of_figure(
            "classes", draw_dice_per_class(of_classes, OURS), "Dice per class with its interval, and references"
        ),
        steps=show_dice("Dice after each step", steps, "step", ["mean", *classes], last_step),
        steps_drawing=Drawing.of_figure(
            "steps", draw_intervals(step_means, last_step), "Mean Dice with its interval after each step of the rule"
        ),
        rules=show_rules(rules),
        presence=Table.of_frame("Presence at the tuned thresholds", tables["presence"]),
        presence_plot=show_presence_curves(tables["presence"], curves["presence"]),
        reliability_drawing=_reliability_drawing(tables["reliability"]),
        brier=Table.of_frame(
            "Brier score and calibration error, before and after calibration", _pooled(tables["brier"])
        ),
        confidence_levels=Table.of_frame("Presence decisions, sure and unsure", tables["confidence_levels"]),
        pixels_plot=show_pixel_curves(tables["pixels"], curves["pixels"], rules),
        confusions=tuple(_confusion(row) for row in tables["pixels"].to_dict("records")),
    )


def _humans(means: pd.DataFrame) -> tuple[HumanDice, ...]:
    dices = dict(zip(means["label"], means["dice"], strict=True))
    return tuple(
        HumanDice(to_cell(float(dices[name])).text, meaning)
        for name, meaning in HUMAN_MEANINGS.items()
        if name in dices
    )


def _cards(of_classes: pd.DataFrame, classes: list[str]) -> tuple[Card, ...]:
    dices = of_classes.set_index(["reference", "class_name"])[["dice", "low", "high"]].T.to_dict()
    return tuple(
        Card(
            name,
            dice_cell(**dices[OURS, name]),
            to_cell(dices[HUMAN_UNION, name]["dice"]).text if (HUMAN_UNION, name) in dices else "",
        )
        for name in classes
    )


def _reliability_drawing(table: pd.DataFrame) -> Drawing:
    caption = (
        "Reliability of presence, all classes: on the diagonal, predicted probabilities equal observed frequencies"
    )
    return Drawing.of_figure("reliability", draw_reliability(_pooled(table), CALIBRATED), caption)


def _pooled(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["class_name"] == EVERY_CLASS].drop(columns="class_name")


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
