"""The findings as figures. A figure is built from a finished table and counts nothing itself."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.masks.colours import CLASS_COLOURS, to_hex

COLOURS = [to_hex(colour) for colour in CLASS_COLOURS]
NEUTRAL = "#5b6b7b"


def draw_masks_per_image(table: pd.DataFrame) -> Figure:
    figure, axes = _new("Masks per picture", "masks in a picture", "pictures")
    bars = axes.bar(table["masks"].astype(str), table["images"], color=NEUTRAL)
    axes.bar_label(bars, [f"{share:.0%}" for share in table["share"]])
    return figure


def draw_images_per_class(table: pd.DataFrame) -> Figure:
    """Pictures that show a class, and above them those that do not."""
    figure, axes = _new("Pictures per class", "", "pictures")
    bars = axes.bar(table["class_name"], table["images"], color=COLOURS[: len(table)], edgecolor="black")
    axes.bar(table["class_name"], table["empty"], bottom=table["images"], color="white", edgecolor="silver", hatch="//")
    axes.bar_label(bars, [f"{share:.0%}" for share in table["share"]], label_type="center")
    axes.set_xlabel("coloured: the class is present; hatched: its mask is empty")
    return figure


def draw_co_occurrence(table: pd.DataFrame) -> Figure:
    """Row by row: of the pictures that show this class, the share that show the other as well."""
    classes = list(table["class_name"])
    counts = table[classes].to_numpy()
    shares = counts / counts.diagonal()[:, None].clip(1)
    figure, axes = _new("Where the row's class is present, the column's is too", "", "")
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    for row, column in [(row, column) for row in range(len(classes)) for column in range(len(classes))]:
        colour = "white" if shares[row, column] > 0.6 else "black"
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    return figure


def draw_areas(images: pd.DataFrame, classes: tuple[str, ...]) -> Figure:
    """A manifest's images → the areas of the masks that are not empty, quartiles and extremes per class."""
    figure, axes = _new("Area of the masks", "", "share of the picture")
    areas = [images[f"area_{name}"] for name in classes]
    boxes = axes.boxplot([area[area > 0].to_numpy() for area in areas], whis=(0, 100), patch_artist=True)
    for patch, colour in zip(boxes["boxes"], COLOURS, strict=False):
        patch.set_facecolor(colour)
    for median in boxes["medians"]:
        median.set_color("black")
    axes.set_xticks(range(1, len(classes) + 1), classes)
    axes.set_ylim(bottom=0)
    return figure


def _new(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
