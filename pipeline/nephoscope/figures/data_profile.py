"""Figures of the data profile, drawn from finished tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nephoscope.data.cache import Cache
from nephoscope.data.images import read_resized
from nephoscope.data.manifest import Manifest
from nephoscope.data.profile import profile_tables
from nephoscope.data.truth import Truth
from nephoscope.figures.colours import class_colours, to_hex
from nephoscope.figures.lettering import any_script, shorten_name
from nephoscope.figures.overlays import draw_overlay
from nephoscope.files import atomic_write
from nephoscope.masks.geometry import MAX_CLASSES, Image, resize_mask

MANY, MOST_LETTERS = 6, 48
"""Names of more classes, or longer ones, do not fit side by side."""
COLOURS = [to_hex(colour) for colour in class_colours(MAX_CLASSES)]


@dataclass(frozen=True)
class Palette:
    """The colours of a figure. A page has its own, for light and dark mode."""

    ink: str
    muted: str
    paper: str
    classes: tuple[str, ...]


ON_WHITE = Palette("black", "#5b6b7b", "white", tuple(COLOURS))


def draw_masks_per_image(table: pd.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    figure, axes = _new(palette, "Masks per image", "masks in an image", "images")
    bars = axes.bar(table["masks"].astype(str), table["images"], color=palette.muted)
    axes.bar_label(bars, [f"{share:.0%}" for share in table["share"]], color=palette.ink)
    return figure


def draw_images_per_class(table: pd.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    """Images with and without every class, stacked."""
    figure, axes = _new(palette, "Images per class", "", "images")
    bars = axes.bar(table["class_name"], table["images"], color=palette.classes[: len(table)], edgecolor=palette.ink)
    axes.bar(
        table["class_name"], table["empty"], bottom=table["images"],
        color=palette.paper, edgecolor=palette.muted, hatch="//",
    )  # fmt: skip
    size = None if len(table) <= MANY else 7
    axes.bar_label(bars, [f"{share:.0%}" for share in table["share"]], label_type="center", fontsize=size)
    _label_classes(axes, range(len(table)), list(table["class_name"]))
    axes.set_xlabel("coloured: the class is present; hatched: its mask is empty")
    return figure


def draw_co_occurrence(table: pd.DataFrame, palette: Palette = ON_WHITE) -> Figure:
    """Per row: of the images with this class, the share that also has the class of the column."""
    classes = list(table["class_name"])
    counts = table[classes].to_numpy()
    shares = counts / counts.diagonal()[:, None].clip(1)
    side = 0.7 * len(classes) + 1 if len(classes) > MANY else 4
    title = "Share of images with the row's class that have the column's class too"
    figure, axes = _new(palette, title, "", "", (1.5 * side if side == 4 else side + 2, side))
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    _label_classes(axes, range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), [shorten_name(name) for name in classes])
    for row, column in [(row, column) for row in range(len(classes)) for column in range(len(classes))]:
        colour = "white" if shares[row, column] > 0.6 else "black"
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    return figure


def draw_areas(images: pd.DataFrame, classes: tuple[str, ...], palette: Palette = ON_WHITE) -> Figure:
    """Images of a manifest → per class the quartiles and extremes of its mask areas, without empty masks."""
    figure, axes = _new(palette, "Area of the masks", "", "share of the image")
    areas = [images[f"area_{name}"] for name in classes]
    boxes = axes.boxplot([area[area > 0].to_numpy() for area in areas], whis=(0, 100), patch_artist=True)
    for patch, colour in zip(boxes["boxes"], palette.classes, strict=False):
        patch.set_facecolor(colour)
    for median in boxes["medians"]:
        median.set_color("black")  # readable on the class colours in light and dark mode
    for line in (*boxes["whiskers"], *boxes["caps"]):
        line.set_color(palette.ink)
    _label_classes(axes, range(1, len(classes) + 1), classes)
    axes.set_ylim(bottom=0)
    return figure


def _label_classes(axes: Axes, places: Sequence[int], classes: Sequence[str]) -> None:
    """Names below their places; turned if they would overlap."""
    crowded = len(classes) > MANY or sum(map(len, classes)) > MOST_LETTERS
    axes.set_xticks(places, [shorten_name(name) for name in classes], rotation=90 if crowded else 0)


def _new(
    palette: Palette, title: str, x_label: str, y_label: str, size: tuple[float, float] = (6, 4)
) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, color=palette.ink)
    axes.set_xlabel(x_label, color=palette.ink)
    axes.set_ylabel(y_label, color=palette.ink)
    axes.set_facecolor("none")
    axes.tick_params(colors=palette.ink)
    axes.spines[:].set_color(palette.ink)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


QUANTILES = (0.02, 0.35, 0.65, 0.98)
QUANTILES_OF_WIDE_IMAGES = (0.25, 0.98)
FIGURE_WIDTH = 12.8  # inches


def draw_samples(manifest: Manifest, truth: Truth, cache: Cache, root: Path) -> Figure:
    """Samples of train only, so that nobody looks at validation or holdout."""
    classes, (height, width) = manifest.metadata.classes, manifest.metadata.output_shape
    quantiles = QUANTILES if width < 3 * height else QUANTILES_OF_WIDE_IMAGES
    panel_height = FIGURE_WIDTH / len(quantiles) * height / width
    figure = Figure(figsize=(FIGURE_WIDTH, (panel_height + 0.3) * len(classes) + 0.5), layout="constrained")
    panels = figure.subplots(len(classes), len(quantiles), squeeze=False)
    for class_name, line in zip(classes, panels, strict=True):
        line[0].set_ylabel(shorten_name(class_name))
        for axes in line:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
        # A class with few images leaves panels empty.
        for axes, row in zip(line, choose_rows(manifest, class_name, quantiles), strict=False):
            axes.imshow(_draw(row, manifest, truth, cache, root))
            axes.set_title(str(manifest.images["image_id"].iloc[row]), fontsize=8)
    _add_legend(figure, classes)
    return figure


def choose_rows(manifest: Manifest, class_name: str, quantiles: Sequence[float]) -> list[int]:
    """Rows of train with the class, at these quantiles of its area, each row once."""
    areas = manifest.images[f"area_{class_name}"].iloc[manifest.rows("train")]
    shown = areas[areas > 0].sort_values(kind="stable")
    places = dict.fromkeys(round(quantile * (len(shown) - 1)) for quantile in quantiles)
    return [int(shown.index[place]) for place in places] if len(shown) else []


def _draw(row: int, manifest: Manifest, truth: Truth, cache: Cache, root: Path) -> Image:
    entry, shape = manifest.images.iloc[row], manifest.metadata.output_shape
    image = read_resized(root / entry["file"], shape)
    return draw_overlay(image, truth.masks(entry["image_id"]), resize_mask(np.asarray(cache.visible[row]), shape))


def _add_legend(figure: Figure, classes: tuple[str, ...]) -> None:
    for class_name, colour in zip(classes, COLOURS, strict=False):
        figure.axes[0].plot([], [], color=colour, linewidth=4, label=shorten_name(class_name))
    figure.legend(loc="outside upper center", ncols=min(len(classes), MANY), frameon=False)


DPI = 110


def write_profile(
    folder: Path, manifest: Manifest, truth: Truth, cache: Cache, groups: npt.NDArray[np.int64], root: Path
) -> None:
    """Write the tables (CSV) and figures (PNG) of the profile. `groups`: near-duplicate group per labelled image."""
    tables = profile_tables(manifest) | {"near_duplicates": list_duplicates(manifest, groups)}
    figures: dict[str, Figure] = {
        "masks_per_image": draw_masks_per_image(tables["masks_per_image"]),
        "images_per_class": draw_images_per_class(tables["images_per_class"]),
        "co_occurrence": draw_co_occurrence(tables["co_occurrence"]),
        "area_per_class": draw_areas(manifest.images, manifest.metadata.classes),
        "samples": draw_samples(manifest, truth, cache, root),
    }
    with atomic_write(folder) as unfinished, any_script():
        unfinished.mkdir()
        for name, table in tables.items():
            table.to_csv(unfinished / f"{name}.csv", index=False)
        for name, figure in figures.items():
            figure.savefig(unfinished / f"{name}.png", dpi=DPI)


def list_duplicates(manifest: Manifest, groups: npt.NDArray[np.int64]) -> pd.DataFrame:
    """group, image_id, split of all labelled images that share their group with others."""
    labelled = manifest.images.iloc[: len(groups)][["image_id", "split"]]
    table = labelled.assign(group=groups)[["group", "image_id", "split"]]
    return table[table["group"].duplicated(keep=False)].sort_values(["group", "image_id"], ignore_index=True)
