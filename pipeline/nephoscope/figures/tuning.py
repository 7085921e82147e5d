"""Figures of a tuning: Dice over the parts of a rule, one panel per class."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from nephoscope.figures.svg import CLASS_STANDINS, COLUMNS, INK, MUTED, PAPER, new_panels
from nephoscope.rules.rules import NEVER

Floats = npt.NDArray[np.float64]
Parts = Mapping[str, Mapping[str, float]]
"""For one class: part → "chosen" and "best" → value"""
DEEPEST = 0.2
"""Larger differences to the best Dice get the same colour, so that the flat top stays visible"""
PIXELS_PER_INCH = 150
"""Resolution of the surfaces. They are raster images; one path per cell would be a hundred times as large."""
HALO = [withStroke(linewidth=2.6, foreground=PAPER)]
"""Makes lines visible on any colour, in light and dark mode"""


def draw_surfaces(surface: pd.DataFrame, thresholds: pd.DataFrame, best: Mapping[str, float]) -> Figure:
    """class_name, pixel_threshold (level), min_area, dice, within_noise → difference to the `best` Dice of the class.

    A dot marks the chosen rule, a cross the exact optimum, a line the border of the plateau.
    """
    figure, panels = new_panels(len(best), 1.75, 1.35)
    behind = surface["dice"] - surface["class_name"].map(best)
    scale = Normalize(max(-DEEPEST, min(float(behind.min()), -1e-3)), 0)
    for axes, (name, dice) in zip(panels, best.items(), strict=True):
        parts = _parts(thresholds, name)
        rows = surface[surface["class_name"] == name].assign(behind=behind)
        _draw_surface(axes, rows, scale)
        never = _is_never(parts)
        _title_panel(axes, name, "never shown" if never else f"best {dice:.3f}")
        if not never:
            _draw_marks(axes, parts)
    _add_colour_bar(figure, panels, scale)
    _label_outer(panels, "pixel threshold", "minimum area (pixels)")
    _add_legend(figure, panels[0])
    return figure


def _draw_surface(axes: Axes, rows: pd.DataFrame, scale: Normalize) -> None:
    table = rows.pivot_table("behind", "min_area", "pixel_threshold")
    within = rows.pivot_table("within_noise", "min_area", "pixel_threshold").to_numpy() > 0.5
    x, y = edges(table.columns.to_numpy() / 255), edges(table.index.to_numpy())
    axes.pcolormesh(x, y, table.to_numpy(), norm=scale, cmap="cividis", rasterized=True)
    axes.plot(*outline(within, x, y), color=INK, linewidth=1.1, solid_capstyle="projecting", path_effects=HALO)
    axes.set(xlim=(0, 1), ylim=(y[0], y[-1]))
    axes.yaxis.set_major_formatter(lambda value, _: _area_text(value))
    if len(table) == 1:
        axes.set_yticks(table.index.tolist())
    axes.grid(visible=False)


def _area_text(area: float) -> str:
    # The cell of area 0 is centred on 0, but areas are not negative.
    if area < 0:
        return ""
    return f"{area / 1000:g}k" if area >= 1000 else f"{area:g}"


def _draw_marks(axes: Axes, parts: Parts) -> None:
    for mark, size, which in (("x", 9, "best"), ("o", 7.5, "chosen")):
        place = parts["pixel_threshold"][which] / 255, parts["min_area"][which]
        _draw_mark(axes, *place, mark, size)


def _draw_mark(axes: Axes, x: float, y: float, mark: str, size: float, label: str | None = None) -> None:
    # A cross has no fill, so its edge needs the ink colour.
    look = (
        {"markeredgecolor": PAPER}
        if mark == "o"
        else {"markeredgewidth": 1.8, "path_effects": [withStroke(linewidth=4, foreground=PAPER)]}
    )
    axes.plot(
        [x], [y], mark, color=INK, markersize=size, linestyle="none", zorder=3, clip_on=False, label=label, **look
    )


def draw_presence(presence: pd.DataFrame, thresholds: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """class_name, presence_threshold, dice, low, high → Dice with its interval; a dot marks the chosen threshold."""
    figure, panels = new_panels(len(classes), 1.6, 0.35)
    for index, (axes, name) in enumerate(zip(panels, classes, strict=True)):
        rows, parts = presence[presence["class_name"] == name], _parts(thresholds, name)
        x, colour = rows["presence_threshold"].to_numpy(), CLASS_STANDINS[index]
        axes.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, rows["dice"], color=colour, linewidth=1.8)
        chosen = parts["presence_threshold"]["chosen"]
        if not _is_never(parts):
            dice = float(np.interp(chosen, x, rows["dice"]))
            axes.plot([chosen], [dice], "o", color=colour, markersize=8, markeredgecolor=PAPER, zorder=3, clip_on=False)
        _title_panel(axes, name, _shown_from(chosen))
        axes.set_xlim(0, 1)
    _label_outer(panels, "presence threshold", "Dice")
    return figure


def _shown_from(threshold: float) -> str:
    if threshold >= NEVER:
        return "never shown"
    return f"from {threshold:.3f}" if threshold > 0 else "every image"


def edges(values: npt.NDArray[np.number]) -> Floats:
    """N ascending values → N + 1 edges of the cells around them.

    >>> edges(np.array([0, 10, 30]))
    array([-5.,  5., 20., 40.])
    """
    if len(values) == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    middles = (values[1:] + values[:-1]) / 2
    return np.array([2 * values[0] - middles[0], *middles, 2 * values[-1] - middles[-1]])


def outline(within: npt.NDArray[np.bool_], x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Cells (rows×columns) and their edges → the border of the True cells as x and y of one line, broken by NaN.

    A contour of matplotlib would cut corners and fail on a single row.
    """
    padded = np.pad(within, 1)
    upright = [(x[[j, j]], y[[i, i + 1]]) for i, j in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])]
    level = [(x[[j, j + 1]], y[[i, i]]) for i, j in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])]
    pieces = np.array([*upright, *level]).reshape(-1, 2, 2)
    broken = np.concatenate([pieces, np.full((len(pieces), 2, 1), np.nan)], axis=2)
    return broken[:, 0].ravel(), broken[:, 1].ravel()


def _parts(thresholds: pd.DataFrame, name: str) -> Parts:
    rows = thresholds[thresholds["class_name"] == name]
    return {str(row["part"]): {which: float(row[which]) for which in ("chosen", "best")} for _, row in rows.iterrows()}


def _is_never(parts: Parts) -> bool:
    return parts["presence_threshold"]["chosen"] >= NEVER


def _title_panel(axes: Axes, name: str, remark: str) -> None:
    axes.set_title(name, loc="left", color=INK, fontsize=10, fontweight="bold")
    axes.set_title(remark, loc="right", color=MUTED, fontsize=9)


def _label_outer(panels: Sequence[Axes], x: str, y: str) -> None:
    for axes in panels:
        place = axes.get_subplotspec()
        assert place is not None, "panels stand in a grid"
        axes.set_ylabel(y if place.is_first_col() else "")
    for axes in panels[-COLUMNS:]:
        axes.set_xlabel(x)
    # Short ticks: "1.00" would touch the "0.00" of the next panel.
    panels[0].xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _add_colour_bar(figure: Figure, panels: Sequence[Axes], scale: Normalize) -> None:
    whole = scale.vmin is not None and scale.vmin > -DEEPEST
    bar = figure.colorbar(
        panels[0].collections[0],
        ax=list(panels),
        location="bottom",
        aspect=40,
        pad=0.03,
        extend="neither" if whole else "min",
        ticks=MaxNLocator(4),
        label="Dice behind the best of the class",
    )
    assert bar.solids is not None, "a colour bar of a mesh is a mesh"
    bar.solids.set_rasterized(True)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=MUTED, labelcolor=INK)
    bar.ax.xaxis.label.set_color(INK)


def _add_legend(figure: Figure, axes: Axes) -> None:
    outside = float("nan")
    _draw_mark(axes, outside, outside, "o", 7.5, "chosen rule")
    _draw_mark(axes, outside, outside, "x", 9, "exact optimum")
    axes.plot([], [], color=INK, linewidth=1.1, label="plateau")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, labelcolor=INK, fontsize=9)
    figure.set_dpi(PIXELS_PER_INCH)
