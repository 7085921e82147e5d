"""Figures of an evaluation and of training, drawn from finished tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nephoscope.figures.lettering import shorten_name
from nephoscope.figures.svg import ACCENT, CLASS_STANDINS, INK, MUTED, PAPER, WIDTH, new_axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", ":", "-.")
KEYS = ("member", "epoch")
HIGHEST_PRECISION = 1.02
"""Upper end of the axis, so that a curve at 1 is fully visible"""


@dataclass(frozen=True)
class Line:
    """One class in a precision-recall figure."""

    class_name: str
    chosen: tuple[float, float] | None = None
    """(recall, precision) at the tuned threshold, if there is one"""


def draw_intervals(table: pd.DataFrame, highlighted: str) -> Figure:
    """label, dice, low, high (NaN: no interval) → one dot with its interval per row, first row on top."""
    figure, (axes,) = new_axes(0.42 * len(table) + 0.55)
    for place, row in enumerate(table.itertuples()):
        ours = row.label == highlighted
        axes.text(0, place - 0.28, str(row.label), color=INK, va="center", fontweight="bold" if ours else "normal")
        _draw_dot(axes, row, place + 0.12, ACCENT if ours else MUTED, 3.0 if ours else 1.6)
    axes.set_ylim(len(table) - 0.5, -0.7)
    axes.set_yticks([])
    _finish_dice_axis(axes)
    return figure


def draw_dice_per_class(table: pd.DataFrame, highlighted: str) -> Figure:
    """reference, class_name, dice, low, high → per class one dot with its interval for every reference."""
    references, classes = list(dict.fromkeys(table["reference"])), list(dict.fromkeys(table["class_name"]))
    figure, (axes,) = new_axes((0.13 * len(references) + 0.2) * len(classes) + 0.6 + 0.22 * len(references))
    for index, reference in enumerate(references):
        ours = reference == highlighted
        colour, width = (ACCENT, 3.0) if ours else (MUTED, 1.2)
        axes.plot([], [], color=colour, marker=MARKERS[index % len(MARKERS)], linewidth=width, label=reference)
        for row in table[table["reference"] == reference].itertuples():
            place = classes.index(str(row.class_name)) + 0.7 * ((index + 0.5) / len(references) - 0.5)
            _draw_dot(axes, row, place, colour, width, MARKERS[index % len(MARKERS)])
    axes.set_yticks(range(len(classes)), [shorten_name(name) for name in classes])
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    _finish_dice_axis(axes)
    _add_legend(figure, axes, columns=1)
    return figure


def draw_curves(curves: pd.DataFrame, lines: Sequence[Line]) -> Figure:
    """threshold, recall, precision, class_name → the curve of every line, with a dot at the tuned threshold.

    Their SVG groups are `curve-<index>` and `chosen-<index>`, so that a page can show them one by one. The page has the
    legend.
    """
    figure, (axes,) = new_axes(WIDTH * 0.82)
    for index, line in enumerate(lines):
        curve = curves[curves["class_name"] == line.class_name]
        # "any" is not a class, so it is drawn in ink and dashed.
        colour, style = (INK, "--") if line.class_name == "any" else (CLASS_STANDINS[index], "-")
        recall, precision = curve["recall"].to_numpy(), curve["precision"].to_numpy()
        # Steps whose area is the average precision: a point counts for the recall gained since the point before.
        steps = np.append(0 * recall[:1], recall), np.append(precision[:1], precision)
        axes.plot(*steps, drawstyle="steps-pre", color=colour, linestyle=style, linewidth=1.8, gid=f"curve-{index}")
        if line.chosen is not None:
            axes.plot(
                *line.chosen, "o", color=colour, markersize=8, markeredgecolor=PAPER, zorder=3, clip_on=False,
                gid=f"chosen-{index}",
            )  # fmt: skip
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, HIGHEST_PRECISION))
    return figure


def draw_reliability(table: pd.DataFrame, highlighted: str) -> Figure:
    """source, predicted, observed, image_count → observed share over predicted probability; dot area: image_count."""
    sources = list(dict.fromkeys(table["source"]))
    figure, (axes,) = new_axes(WIDTH * 0.72 + 0.22 * len(sources))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    for index, source in enumerate(sources):
        rows, ours = table[table["source"] == source], source == highlighted
        colour, width = (ACCENT, 3.0) if ours else (MUTED, 1.4)
        marker, style = MARKERS[index % len(MARKERS)], LINE_STYLES[index % len(LINE_STYLES)] if not ours else "-"
        places = rows["predicted"], rows["observed"]
        axes.plot(*places, style, color=colour, linewidth=width, marker=marker, label=source)
        size = 400 * rows["image_count"] / table["image_count"].max()
        axes.scatter(*places, s=size, color=colour, alpha=0.35, linewidths=0)
    axes.set(xlabel="predicted probability", ylabel="observed share", xlim=(0, 1), ylim=(0, 1))
    _add_legend(figure, axes, columns=1)
    return figure


def draw_history(history: pd.DataFrame, chosen: Mapping[str, int]) -> Figure:
    """member, epoch, losses and scores → losses above scores, a line per member; dots are the chosen epochs."""
    evaluation = [str(name) for name in history.select_dtypes("number") if name not in KEYS]
    losses = [name for name in evaluation if name.endswith("loss")]
    scores = [name for name in evaluation if name not in losses and not name.endswith("rate")]
    panels = {label: names for label, names in (("loss", losses), ("score", scores)) if names}
    figure, all_axes = new_axes(2.1 * max(len(panels), 1) + 0.6, rows=max(len(panels), 1))
    for axes, (label, names) in zip(all_axes, panels.items(), strict=False):
        for name, style in zip(names, cycle(LINE_STYLES), strict=False):
            _draw_courses(axes, history, name, style, chosen)
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
        axes.set_ylabel(label)
    # Otherwise a single epoch would get fractional ticks.
    all_axes[-1].set(xlabel="epoch", xlim=(history["epoch"].min() - 0.5, history["epoch"].max() + 0.5))
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _draw_courses(axes: Axes, history: pd.DataFrame, name: str, style: str, chosen: Mapping[str, int]) -> None:
    # Epochs are chosen on validation, so curves of train are muted.
    colour = MUTED if name.startswith("train") else ACCENT
    axes.plot([], [], style, color=colour, label=name.replace("pr_auc", "PR AUC").replace("_", " "))
    for member, rows in history.groupby("member"):
        axes.plot(rows["epoch"], rows[name], style, color=colour, linewidth=1.6)
        at = rows[rows["epoch"] == chosen.get(str(member))]
        if colour == ACCENT and len(at):
            axes.plot(at["epoch"], at[name], "o", color=colour, markersize=7, markeredgecolor=PAPER, zorder=3)


def _draw_dot(axes: Axes, row: object, place: float, colour: str, width: float, marker: str = "o") -> None:
    dice, low, high = (float(getattr(row, name)) for name in ("dice", "low", "high"))
    if not np.isnan([low, high]).any():
        axes.plot([low, high], [place, place], color=colour, linewidth=width, solid_capstyle="round")
    axes.plot(
        [dice],
        [place],
        marker,
        color=colour,
        markersize=4.5 + width,
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
        clip_on=False,
    )


def _finish_dice_axis(axes: Axes) -> None:
    axes.set(xlabel="Dice", xlim=(0, 1))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _add_legend(figure: Figure, axes: Axes, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK, fontsize=9)
