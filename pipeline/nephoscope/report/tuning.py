"""How the rules were tuned: cross-fitted Dice, where the optimum lies, intervals of thresholds, what was tried."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nephoscope.figures.evaluation import draw_dice_per_class
from nephoscope.figures.svg import Drawing
from nephoscope.figures.tables import Cell, Table, dice_cell, level_cell, show_dice, signed_cell, to_cell
from nephoscope.figures.tuning import draw_presence, draw_surfaces
from nephoscope.templates import UNKNOWN

PART_NAMES = {
    "presence_threshold": "presence threshold",
    "pixel_threshold": "pixel threshold",
    "min_area": "minimum area",
}
TRIAL_CAPTIONS = {
    "classifier_weight": "Weight of the classifier in presence",
    "family": "Rule family",
    "adaptive_power": "Adaptive power: how pixel thresholds follow the strongest pixels (0: fixed, 1: in proportion)",
    "force_top_class": "Most probable class forced if no class is present",
}
CROSS_FITTED = "cross-fitted"


@dataclass(frozen=True)
class Tuning:
    gap: str
    """Tuned against cross-fitted Dice, in a sentence"""
    estimates: Table
    estimates_drawing: Drawing
    surface_drawing: Drawing
    presence_drawing: Drawing
    optimum: Table
    thresholds: Table
    trials: tuple[Table, ...]


def show_tuning(tables: Mapping[str, pd.DataFrame], classes: Sequence[str]) -> Tuning:
    """Tables of stage `tune` → tables and figures to read; every class has a panel, even if it is never shown."""
    estimates, optimum, thresholds = tables["estimates"], tables["optimum"], tables["thresholds"]
    best = dict(zip(optimum["class_name"], optimum["best_dice"].astype(float), strict=True))
    return Tuning(
        gap=describe_gap(estimates),
        estimates=show_dice("Dice on validation", estimates, "estimate", ["mean", *classes], CROSS_FITTED),
        estimates_drawing=_estimates_drawing(estimates),
        surface_drawing=Drawing.of_figure(
            "surface",
            draw_surfaces(tables["surface"], thresholds, {name: best[name] for name in classes}),
            "Dice on validation over pixel threshold and minimum area; all other parts at their optimum",
        ),
        presence_drawing=Drawing.of_figure(
            "presence-threshold",
            draw_presence(tables["presence"], thresholds, classes),
            "Dice on validation over the presence threshold, with its interval; a dot marks the chosen threshold",
        ),
        optimum=show_optimum(optimum),
        thresholds=show_thresholds(thresholds),
        trials=show_trials(tables["trials"]),
    )


def describe_gap(estimates: pd.DataFrame) -> str:
    """Tuned and cross-fitted Dice, their difference, and what follows from it."""
    mean = estimates[estimates["class_name"] == "mean"].set_index("estimate")
    tuned, cross_fitted, gap = (float(mean["dice"][name]) for name in ("tuned", CROSS_FITTED, "gap"))
    if math.isnan(cross_fitted):
        return (
            f"Tuned {tuned:.3f}, cross-fitted {UNKNOWN}: validation has too few images for cross-fitting. "
            "Use the Dice on holdout."
        )
    low, high = float(mean["low"]["gap"]), float(mean["high"]["gap"])
    if low > 0:
        conclusion = "The tuned Dice is too optimistic by about this gap."
    elif high < 0:
        conclusion = "The tuned Dice is not too optimistic."
    else:
        conclusion = "The interval contains 0: no optimism of the tuned Dice can be shown."
    dices = f"Tuned {tuned:.3f}, cross-fitted {cross_fitted:.3f}: a gap of {gap:+.3f}"
    return f"{dices}, interval {low:+.3f} to {high:+.3f}. {conclusion}"


def _estimates_drawing(estimates: pd.DataFrame) -> Drawing:
    measured = estimates[(estimates["estimate"] != "gap") & estimates["dice"].notna()]
    figure = draw_dice_per_class(measured.rename(columns={"estimate": "reference"}), CROSS_FITTED)
    return Drawing.of_figure("estimates", figure, "Dice on validation with its interval, tuned and cross-fitted")


def show_optimum(optimum: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(str(row["class_name"])),
            to_cell(float(row["best_dice"])),
            to_cell(float(row["chosen_dice"])),
            _share_cell(float(row["plateau_share"])),
        ]
        for row in optimum.to_dict("records")
    ]
    columns = ["class_name", "exact optimum", "chosen rule", "plateau"]
    return Table.of_cells("Dice on validation, and the share of searched rules on the plateau", columns, rows)


def _share_cell(share: float) -> Cell:
    small = 0 < share < 0.001
    return Cell("< 0.1\N{NO-BREAK SPACE}%") if small else to_cell(share, "share")


def show_thresholds(thresholds: pd.DataFrame) -> Table:
    """A row per class and part of its rule; presence thresholds only if a rule uses them."""
    presence = thresholds["part"] == "presence_threshold"
    has_presence = (thresholds.loc[presence, ["chosen", "best"]] > 0).to_numpy().any()
    shown = thresholds if has_presence else thresholds[~presence]
    rows = [
        [
            Cell(str(row["class_name"])),
            Cell(PART_NAMES[str(row["part"])]),
            _part_cell(str(row["part"]), row["chosen"]),
            _range_cell(str(row["part"]), row["low"], row["high"]),
            _part_cell(str(row["part"]), row["best"]),
            _range_cell(str(row["part"]), row["plateau_low"], row["plateau_high"]),
        ]
        for row in shown.to_dict("records")
    ]
    columns = ["class_name", "part", "chosen", "interval", "exact optimum", "plateau"]
    note = "" if has_presence else "These rules have no presence threshold; pixels alone decide a mask."
    return Table.of_cells("All parts of all rules; areas are in pixels", columns, rows, note=note)


def _part_cell(part: str, value: float) -> Cell:
    if part == "presence_threshold":
        # Presence stays below 1. A resampled threshold may average with NEVER (2), and any value from 1 up means never.
        return Cell("never shown" if value >= 1 else f"{value:.3f}" if value > 0 else "every image")
    if part.endswith("area"):
        return Cell(f"{value:,.0f}")
    return level_cell(round(value))


def _range_cell(part: str, low: float, high: float) -> Cell:
    first, last = _part_cell(part, low), _part_cell(part, high)
    if first == last:
        return first
    levels = f"{first.detail or first.text} to {last.detail.removeprefix('level ')}" if last.detail else ""
    return Cell(f"{first.text} to {last.text}", levels)


def show_trials(trials: pd.DataFrame) -> tuple[Table, ...]:
    """A table per searched part of the rule structure; empty if the settings fix the structure."""
    return tuple(_trial(str(part), rows) for part, rows in trials.groupby("part", sort=False))


def _trial(part: str, rows: pd.DataFrame) -> Table:
    cells = [
        [
            Cell(_value(row["value"])),
            dice_cell(row["dice"], row["low"], row["high"]),
            Cell("chosen")
            if row["chosen"]
            else signed_cell(row["difference"], row["difference_low"], row["difference_high"]),
        ]
        for row in rows.to_dict("records")
    ]
    chosen = _value(rows.loc[rows["chosen"], "value"].iloc[0])
    columns = ["tried", "cross-fitted Dice", "difference"]
    return Table.of_cells(TRIAL_CAPTIONS.get(part, part.replace("_", " ")), columns, cells, chosen)


def _value(value: Any) -> str:
    return {"True": "yes", "False": "no"}.get(str(value), str(value))
