"""The chapter of a page that tells what the data are like; whatever is missing is left out."""

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
    "images_per_split": "Pictures per split, and the share of them that shows a class",
    "images_per_class": "Pictures that show a class",
    "masks_per_image": "Masks in a picture",
    "area_per_class": "Areas of the masks that are not empty, in pixels",
    "co_occurrence": "Classes that are seen together: pictures that show both",
    "presence_patterns": "Which classes are seen together, in pictures per split",
    "near_duplicates": "Near duplicates among the labelled pictures; a group stays in one split",
    "samples": "Samples from train, from small masks to large ones",
}
"""In reading order. What is found beside them comes last, under its own name."""
ON_PAGE = Palette(INK, MUTED, PAPER, CLASS_STANDINS)
FIGURES: Mapping[str, Callable[[pd.DataFrame, Manifest], Figure]] = {
    "masks_per_image": lambda table, _: draw_masks_per_image(table, ON_PAGE),
    "images_per_class": lambda table, _: draw_images_per_class(table, ON_PAGE),
    "co_occurrence": lambda table, _: draw_co_occurrence(table, ON_PAGE),
    "area_per_class": lambda _, manifest: draw_areas(manifest.images, manifest.metadata.classes, ON_PAGE),
}
"""Drawn anew in the page's colours: the pictures that `prepare` leaves are black on white."""
LONGEST = 16  # rows


@dataclass(frozen=True)
class ProfileFigure:
    caption: str
    table: Table | None
    drawing: Drawing | None
    source: str | None
    """A picture as a data URI; where there is a drawing, it says the same and is left out"""


def show_profile(folder: Path, manifest: Manifest) -> tuple[ProfileFigure, ...]:
    """Every table (CSV) and figure of the folder, paired by name."""
    found = {path.stem for ending in ("csv", "png") for path in folder.glob(f"*.{ending}")}
    names = [name for name in CAPTIONS if name in found] + sorted(found - set(CAPTIONS))
    return tuple(_finding(folder, name, manifest) for name in names)


def _finding(folder: Path, name: str, manifest: Manifest) -> ProfileFigure:
    path, figure = folder / f"{name}.csv", folder / f"{name}.png"
    caption = CAPTIONS.get(name, name.replace("_", " "))
    frame = read_table(path) if path.exists() else None
    table = None if frame is None else Table.of_frame(caption, frame, LONGEST, rest_in=path.name)
    if frame is not None and name in FIGURES:
        return ProfileFigure(caption, table, _drawing(name, FIGURES[name](frame, manifest), caption), None)
    return ProfileFigure(caption, table, None, recompress(figure.read_bytes()) if figure.exists() else None)


def _drawing(name: str, figure: Figure, caption: str) -> Drawing:
    # The page has a heading for it.
    figure.axes[0].set_title("")
    return Drawing.of_figure(name.replace("_", "-"), figure, caption)


def show_problems(path: Path) -> Table | None:
    """Problems by kind; None where nothing was found wrong."""
    if not path.exists() or (problems := read_table(path)).empty:
        return None
    rows = problems.groupby("kind", sort=True).agg(problems=("kind", "size"), first=("message", "first"))
    return Table.of_frame("Problems in the data set by kind; their pictures are set aside", rows.reset_index())
