"""Figures of occurrence: a map per pattern, and the series of a whole domain."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nephoscope.figures.colours import class_colours, to_hex

Floats = npt.NDArray[np.float64]
UNSEEN, COAST = "#7f7f7f", "#e6e6e6"
PANEL_WIDTH = 5.5
"""Inches."""


def draw_maps(
    occurrence: Floats,
    patterns: Sequence[str],
    edges: tuple[Floats, Floats],
    land: npt.NDArray[np.bool_],
    title: str,
) -> Figure:
    """Shares (C×rows×columns, NaN where nothing is known), edges of rows and columns, land on a finer grid of the same
    area → a panel per pattern. All panels share one scale."""
    latitude, longitude = edges
    columns = 1 if len(patterns) == 1 else 2
    rows = -(-len(patterns) // columns)
    height = PANEL_WIDTH * np.clip(np.ptp(latitude) / np.ptp(longitude), 0.3, 1.5) + 0.6
    figure = Figure((PANEL_WIDTH * columns + 0.8, height * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    known = np.isfinite(occurrence)
    largest = max(0.01, float(occurrence[known].max())) if known.any() else 1
    for panel, name, shares in zip(panels, patterns, occurrence, strict=False):
        mesh = panel.pcolormesh(longitude, latitude, 100 * shares, vmin=0, vmax=100 * largest, cmap="viridis")
        panel.set_facecolor(UNSEEN)
        _draw_coast(panel, land, edges)
        panel.set_title(name)
    for panel in panels[len(patterns) :]:
        panel.set_visible(False)
    figure.colorbar(mesh, ax=list(panels), label="occurrence in % (grey: not seen)", shrink=0.8)
    figure.suptitle(title)
    return figure


def _draw_coast(panel: Axes, land: npt.NDArray[np.bool_], edges: tuple[Floats, Floats]) -> None:
    (north, south), (west, east) = (pair[[0, -1]] for pair in edges)
    if land.any() and not land.all():
        rows, columns = land.shape
        latitude = north + (south - north) * (np.arange(rows) + 0.5) / rows
        longitude = west + (east - west) * (np.arange(columns) + 0.5) / columns
        panel.contour(longitude, latitude, land, [0.5], colors=COAST, linewidths=0.6)
    panel.set_xlim(west, east)
    panel.set_ylim(south, north)
    panel.set_xlabel("longitude (°E)")
    panel.set_ylabel("latitude (°N)")
    panel.label_outer()


def draw_series(
    labels: Sequence[str], mean: Floats, low: Floats, high: Floats, patterns: Sequence[str], title: str
) -> Figure:
    """Shares and the ends of their intervals (periods×C) → a line per pattern; a gap where nothing was seen."""
    figure = Figure((9, 4.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(labels))
    for index, colour in enumerate(map(to_hex, class_colours(len(patterns)))):
        axes.fill_between(places, 100 * low[:, index], 100 * high[:, index], color=colour, alpha=0.25, linewidth=0)
        axes.plot(places, 100 * mean[:, index], color=colour, marker="o", markersize=3, label=patterns[index])
    step = max(1, len(labels) // 16)
    axes.set_xticks(places[::step], list(labels)[::step], rotation=45, ha="right")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("occurrence in %, 95 % interval")
    axes.set_title(title)
    axes.legend()
    return figure
