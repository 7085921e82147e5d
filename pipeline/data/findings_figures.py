"""The findings as figures. A figure is built from a finished table and counts nothing itself."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.masks.colours import CLASS_COLOURS, to_hex

COLOURS = [to_hex(colour) for colour in CLASS_COLOURS]


@dataclass(frozen=True)
class Palette:
    """What a figure is drawn with; a page has its own colours, by day and by night."""

    ink: str
    muted: str
    paper: str
    classes: tuple[str, ...]


ON_WHITE = Palette("black", "#5b6b7b", "white", tuple(COLOURS))


def draw_masks_per_image(table: pd.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    figure, axes = _new(palette, "Masks per picture", "masks in a picture", "pictures")
    bars = axes.bar(table["masks"].astype(str), table["images"], color=palette.muted)
    axes.bar_label(bars, [f"{share:.0%}" for share in table["share"]], color=palette.ink)
    return figure


def draw_images_per_class(table: pd.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    """Pictures that show a class, and above them those that do not."""
    figure, axes = _new(palette, "Pictures per class", "", "pictures")
    bars = axes.bar(table["class_name"], table["images"], color=palette.classes[: len(table)], edgecolor=palette.ink)
    axes.bar(
        table["class_name"], table["empty"], bottom=table["images"],
        color=palette.paper, edgecolor=palette.muted, hatch="//",
    )  # fmt: skip
    axes.bar_label(bars, [f"{share:.0%}" for share in table["share"]], label_type="center")
    axes.set_xlabel("coloured: the class is present; hatched: its mask is empty")
    return figure


def draw_co_occurrence(table: pd.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    """Row by row: of the pictures that show this class, the share that show the other as well."""
    classes = list(table["class_name"])
    counts = table[classes].to_numpy()
    shares = counts / counts.diagonal()[:, None].clip(1)
    figure, axes = _new(palette, "Where the row's class is present, the column's is too", "", "")
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    for row, column in [(row, column) for row in range(len(classes)) for column in range(len(classes))]:
        colour = "white" if shares[row, column] > 0.6 else "black"
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    return figure


def draw_areas(images: pd.DataFrame, classes: tuple[str, ...], palette: Palette = ON_WHITE) -> Figure:
    """A manifest's images → the areas of the masks that are not empty, quartiles and extremes per class."""
    figure, axes = _new(palette, "Area of the masks", "", "share of the picture")
    areas = [images[f"area_{name}"] for name in classes]
    boxes = axes.boxplot([area[area > 0].to_numpy() for area in areas], whis=(0, 100), patch_artist=True)
    for patch, colour in zip(boxes["boxes"], palette.classes, strict=False):
        patch.set_facecolor(colour)
    for median in boxes["medians"]:
        median.set_color("black")  # on the class's colour, whatever the paper
    for line in (*boxes["whiskers"], *boxes["caps"]):
        line.set_color(palette.ink)
    axes.set_xticks(range(1, len(classes) + 1), classes)
    axes.set_ylim(bottom=0)
    return figure


def _new(palette: Palette, title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, color=palette.ink)
    axes.set_xlabel(x_label, color=palette.ink)
    axes.set_ylabel(y_label, color=palette.ink)
    axes.set_facecolor("none")
    axes.tick_params(colors=palette.ink)
    axes.spines[:].set_color(palette.ink)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
