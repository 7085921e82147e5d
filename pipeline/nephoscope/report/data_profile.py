"""Chapter "Data": tables and figures of the data set. Missing ones are left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.data_profile import (
    Palette,
    draw_areas,
    draw_co_occurrence,
    draw_images_per_class,
    draw_masks_per_image,
)
from nephoscope.figures.svg import CLASS_STANDINS, INK, MUTED, PAPER, Drawing
from nephoscope.figures.tables import Table
from nephoscope.report.images import recompress

CAPTIONS = {
    "images_per_split": "Images per split, and the share that contains each class",
    "images_per_class": "Images that contain each class",
    "masks_per_image": "Masks per image",
    "area_per_class": "Areas of the non-empty masks, in pixels",
    "co_occurrence": "Co-occurrence: images that contain both classes",
    "presence_patterns": "Combinations of classes, in images per split",
    "near_duplicates": "Near duplicates among the labelled images; a group stays in one split",
    "samples": "Samples from train, from small masks to large ones",
}
"""In reading order; other files of the folder follow under their own names."""
ON_PAGE = Palette(INK, MUTED, PAPER, CLASS_STANDINS)
FIGURES: Mapping[str, Callable[[pd.DataFrame, Manifest], Figure]] = {
    "masks_per_image": lambda table, _: draw_masks_per_image(table, ON_PAGE),
    "images_per_class": lambda table, _: draw_images_per_class(table, ON_PAGE),
    "co_occurrence": lambda table, _: draw_co_occurrence(table, ON_PAGE),
    "area_per_class": lambda _, manifest: draw_areas(manifest.images, manifest.metadata.classes, ON_PAGE),
}
"""Redrawn in the colours of the page, because the PNG files of `prepare` are black on white."""
ROW_LIMIT = 16


@dataclass(frozen=True)
class ProfileEntry:
    caption: str
    table: Table | None
    drawing: Drawing | None
    source: str | None
    """Data URI of the PNG; None if there is a drawing, which shows the same"""


def show_profile(folder: Path, manifest: Manifest) -> tuple[ProfileEntry, ...]:
    """Every table (CSV) and figure (PNG) of the folder; a table and a figure of the same name make one entry."""
    existing = {path.stem for suffix in ("csv", "png") for path in folder.glob(f"*.{suffix}")}
    names = [name for name in CAPTIONS if name in existing] + sorted(existing - set(CAPTIONS))
    return tuple(_show_entry(folder, name, manifest) for name in names)


def _show_entry(folder: Path, name: str, manifest: Manifest) -> ProfileEntry:
    csv, png = folder / f"{name}.csv", folder / f"{name}.png"
    caption = CAPTIONS.get(name, name.replace("_", " "))
    frame = read_table(csv) if csv.exists() else None
    table = None if frame is None else Table.of_frame(caption, frame, ROW_LIMIT, rest_in=csv.name)
    if frame is not None and name in FIGURES:
        return ProfileEntry(caption, table, _draw(name, FIGURES[name](frame, manifest), caption), None)
    return ProfileEntry(caption, table, None, recompress(png.read_bytes()) if png.exists() else None)


def _draw(name: str, figure: Figure, caption: str) -> Drawing:
    figure.axes[0].set_title("")  # the page has a heading
    return Drawing.of_figure(name.replace("_", "-"), figure, caption)


def show_problems(path: Path) -> Table | None:
    """problems.csv → problems per kind; None if there are none."""
    if not path.exists() or (problems := read_table(path)).empty:
        return None
    rows = problems.groupby("kind", sort=True).agg(problems=("kind", "size"), first=("message", "first"))
    return Table.of_frame("Problems in the data set, per kind; their images are excluded", rows.reset_index())
