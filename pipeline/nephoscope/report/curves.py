"""Precision-recall curves: the figure, its legend, and points for the cursor of `curves.js.jinja`.

The figure is complete without the script.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from nephoscope.evaluation.precision_recall import reached_at
from nephoscope.figures.evaluation import HIGHEST_PRECISION, Line, draw_curves
from nephoscope.figures.svg import Drawing
from nephoscope.figures.tables import to_cell
from nephoscope.rules.rules import Rules

MOST_POINTS = 160
"""for the cursor, per curve; the drawn curve has all points"""
ANY = "any"


@dataclass(frozen=True)
class LegendEntry:
    class_name: str
    average_precision: str
    colour: str
    """name of a CSS variable of the page"""


@dataclass(frozen=True)
class Plot:
    name: str
    title: str
    drawing: Drawing
    legend: tuple[LegendEntry, ...]
    data: dict[str, Any]
    """For the script: where the axes lie in the figure, and the points of every curve"""


def show_presence_curves(table: pd.DataFrame, curves: pd.DataFrame) -> Plot:
    """Precision and recall at the tuned presence thresholds (table) and at all thresholds (curves)."""
    lines = [
        Line(str(row["class_name"]), _point_or_none(float(row["recall"]), float(row["precision"])))
        for row in table.to_dict("records")
    ]
    caption = "Presence: precision over recall; a dot marks the tuned presence threshold"
    return _plot("presence", "Presence in an image", caption, table, curves, lines, levels=False)


def show_pixel_curves(table: pd.DataFrame, curves: pd.DataFrame, rules: Rules) -> Plot:
    """As for presence. Adaptive thresholds differ per image, so no point of a curve stands for them."""
    lines = [
        Line(name, None if rules.adaptive_power else point_at(_of_class(name, curves), rule.pixel_threshold / 255))
        for name, rule in zip(rules.classes, rules.rules, strict=True)
    ]
    dots = "; a dot marks the tuned pixel threshold alone, before minimum area and presence"
    caption = f"Pixels: precision over recall{'' if rules.adaptive_power else dots}"
    return _plot("pixels", "Pixels", caption, table, curves, lines, levels=True)


def _of_class(class_name: str, curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["class_name"] == class_name]


def point_at(curve: pd.DataFrame, threshold: float) -> tuple[float, float] | None:
    """(recall, precision) of all scores at or above the threshold; thresholds of a curve descend."""
    index = reached_at(curve["threshold"].to_numpy(float), threshold)
    return None if index is None else (float(curve["recall"].iloc[index]), float(curve["precision"].iloc[index]))


def _point_or_none(recall: float, precision: float) -> tuple[float, float] | None:
    return None if np.isnan([recall, precision]).any() else (recall, precision)


def _plot(
    name: str, title: str, caption: str, table: pd.DataFrame, curves: pd.DataFrame, lines: Sequence[Line], levels: bool
) -> Plot:
    figure = draw_curves(curves, lines)
    drawing = Drawing.of_figure(name, figure, caption)  # also lays out the axes, which axes_box needs
    precisions = dict(zip(table["class_name"], table["average_precision"], strict=True))
    legend = tuple(
        LegendEntry(line.class_name, to_cell(float(precisions[line.class_name])).text, _colour(index, line.class_name))
        for index, line in enumerate(lines)
    )
    data = {
        "axes": axes_box(figure),
        "levels": levels,
        "curves": [curve_data(line, _of_class(line.class_name, curves)) for line in lines],
    }
    return Plot(name, title, drawing, legend, data)


def _colour(index: int, class_name: str) -> str:
    return "--ink" if class_name == ANY else f"--class-{index}"


def axes_box(figure: Figure) -> dict[str, float]:
    """Positions of recall and precision 0 and 1, as shares of the figure's width and height from its top left."""
    box = figure.axes[0].get_position()
    top = 1 - (box.y0 + box.height / HIGHEST_PRECISION)
    return {
        name: round(float(value), 5)
        for name, value in {"left": box.x0, "right": box.x1, "top": top, "bottom": 1 - box.y0}.items()
    }


def curve_data(line: Line, curve: pd.DataFrame) -> dict[str, Any]:
    """Points (threshold, recall, precision) for the cursor, and the index of the tuned one, -1 if there is none."""
    values = curve[["threshold", "recall", "precision"]].to_numpy(float)
    chosen = _nearest(values, line.chosen)
    kept = thin(values[:, 1:], MOST_POINTS, chosen)
    return {
        "name": line.class_name,
        "points": np.round(values[kept], 4).tolist(),
        "chosen": kept.index(chosen) if chosen >= 0 else -1,
    }


def _nearest(values: npt.NDArray[np.float64], point: tuple[float, float] | None) -> int:
    if point is None or not len(values):
        return -1
    return int(np.abs(values[:, 1:] - point).sum(axis=1).argmin())


def thin(points: npt.NDArray[np.float64], most: int, kept: int = -1) -> list[int]:
    """Points of a curve (N×2) → about `most` indices, evenly spaced along the curve; the ends and `kept` stay.

    >>> thin(np.array([[0, 1], [0.01, 1], [0.5, 1], [1, 1]]), 3)
    [0, 2, 3]
    """
    if len(points) <= most:
        return list(range(len(points)))
    distance = np.append(0, np.abs(np.diff(points, axis=0)).sum(axis=1).cumsum())
    section = np.floor((most - 1) * distance / distance[-1]) if distance[-1] else np.zeros(len(points))
    firsts = np.flatnonzero(np.diff(section, prepend=-1))
    return sorted({*firsts.tolist(), len(points) - 1} | ({kept} if kept >= 0 else set()))
