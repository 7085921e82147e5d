"""Curves of precision over recall that a reader can walk along: a figure, its key, and its points as data.

Without a script the figure is all there is, and it is whole; `page_curves.js.jinja` lays a cursor over it.
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
from nephoscope.figures.svg import CLASS_STANDINS, Drawing
from nephoscope.figures.tables import to_cell
from nephoscope.rules.rules import Rules

MOST_POINTS = 160
"""of a curve, to walk along; the drawn one has them all"""
ANY = "any"


@dataclass(frozen=True)
class Key:
    """A curve's entry in the key."""

    class_name: str
    average_precision: str
    colour: str
    """a variable of the page's style"""


@dataclass(frozen=True)
class Plot:
    name: str
    title: str
    drawing: Drawing
    keys: tuple[Key, ...]
    data: dict[str, Any]
    """As the script reads it: where the axes lie in the figure, and the points of every curve"""


def show_presence_curves(table: pd.DataFrame, curves: pd.DataFrame) -> Plot:
    """Presence at the tuned thresholds, and the curves over all thresholds."""
    lines = [
        Line(str(row["class_name"]), _known((float(row["recall"]), float(row["precision"]))))
        for row in table.to_dict("records")
    ]
    caption = "Presence: precision over recall; a dot is the tuned presence threshold"
    return _plot("presence", "Presence in a picture", caption, table, curves, lines, levels=False)


def show_pixel_curves(table: pd.DataFrame, curves: pd.DataFrame, rules: Rules) -> Plot:
    lines = [
        Line(name, None if rules.adaptive_power else point_at(_of(name, curves), rule.pixel_threshold / 255))
        for name, rule in zip(rules.classes, rules.rules, strict=True)
    ]
    dots = "; a dot is the tuned pixel threshold alone, before area and presence"
    caption = f"Pixels: precision over recall{'' if rules.adaptive_power else dots}"
    return _plot("pixels", "Pixels", caption, table, curves, lines, levels=True)


def _of(class_name: str, curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["class_name"] == class_name]


def point_at(curve: pd.DataFrame, threshold: float) -> tuple[float, float] | None:
    """(recall, precision) where scores reach the threshold; thresholds of a curve descend."""
    index = reached_at(curve["threshold"].to_numpy(float), threshold)
    return None if index is None else (float(curve["recall"].iloc[index]), float(curve["precision"].iloc[index]))


def _known(point: tuple[float, float]) -> tuple[float, float] | None:
    return None if np.isnan(point).any() else point


def _plot(
    name: str, title: str, caption: str, table: pd.DataFrame, curves: pd.DataFrame, lines: Sequence[Line], levels: bool
) -> Plot:
    figure = draw_curves(curves, lines)
    drawing = Drawing.of_figure(name, figure, caption)  # lays the axes out, too
    precisions = dict(zip(table["class_name"], table["average_precision"], strict=True))
    keys = tuple(
        Key(line.class_name, to_cell(float(precisions[line.class_name])).text, _colour(index, line.class_name))
        for index, line in enumerate(lines)
    )
    data = {
        "axes": axes_box(figure),
        "levels": levels,
        "curves": [curve_data(line, _of(line.class_name, curves)) for line in lines],
    }
    return Plot(name, title, drawing, keys, data)


def _colour(index: int, class_name: str) -> str:
    return "--ink" if class_name == ANY else f"--class-{index % len(CLASS_STANDINS)}"


def axes_box(figure: Figure) -> dict[str, float]:
    """Where recall and precision of 0 and 1 lie, as shares of the drawn figure's width and height from its top left."""
    box = figure.axes[0].get_position()
    top = 1 - (box.y0 + box.height / HIGHEST_PRECISION)
    return {
        name: round(float(value), 5)
        for name, value in {"left": box.x0, "right": box.x1, "top": top, "bottom": 1 - box.y0}.items()
    }


def curve_data(line: Line, curve: pd.DataFrame) -> dict[str, Any]:
    """The points to walk along, as threshold, recall, precision; and which of them is the tuned one, -1 if none."""
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
    """Points of a curve (N×2) → about so many of their indices, evenly along its way; the ends and `kept` stay.

    >>> thin(np.array([[0, 1], [0.01, 1], [0.5, 1], [1, 1]]), 3)
    [0, 2, 3]
    """
    if len(points) <= most:
        return list(range(len(points)))
    way = np.append(0, np.abs(np.diff(points, axis=0)).sum(axis=1).cumsum())
    stretch = np.floor((most - 1) * way / way[-1]) if way[-1] else np.zeros(len(points))
    firsts = np.flatnonzero(np.diff(stretch, prepend=-1))
    return sorted({*firsts.tolist(), len(points) - 1} | ({kept} if kept >= 0 else set()))
