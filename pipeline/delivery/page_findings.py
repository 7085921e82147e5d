"""The chapter of a page that tells what the data are like; whatever is missing is left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.delivery.data_uri import recompress
from pipeline.delivery.page_tables import Table

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
LONGEST = 16  # rows
NAMES = ("image_id", "class_name", "member", "pattern")
"""Columns of text"""


@dataclass(frozen=True)
class Finding:
    caption: str
    table: Table | None
    source: str | None
    """A figure as a data URI"""


def show_findings(folder: Path) -> tuple[Finding, ...]:
    """Every table (CSV) and figure (PNG) of the folder, paired by name."""
    found = {path.stem for ending in ("csv", "png") for path in folder.glob(f"*.{ending}")}
    names = [name for name in CAPTIONS if name in found] + sorted(found - set(CAPTIONS))
    return tuple(_finding(folder, name) for name in names)


def _finding(folder: Path, name: str) -> Finding:
    table, figure = folder / f"{name}.csv", folder / f"{name}.png"
    caption = CAPTIONS.get(name, name.replace("_", " "))
    return Finding(
        caption,
        _table(caption, table) if table.exists() else None,
        recompress(figure.read_bytes()) if figure.exists() else None,
    )


def _table(caption: str, path: Path) -> Table:
    frame = read_table(path)
    return Table.of_frame(caption, frame, LONGEST, rest_in=path.name)


def show_faults(path: Path) -> Table | None:
    """Faults by kind; None where nothing was found wrong."""
    if not path.exists() or (faults := read_table(path)).empty:
        return None
    rows = faults.groupby("kind", sort=True).agg(faults=("kind", "size"), first=("message", "first"))
    return Table.of_frame("Faults in the data set by kind; their pictures are set aside", rows.reset_index())


def read_table(path: Path) -> pd.DataFrame:
    """A CSV of a stage. Names stay text, whatever they look like: "0012", "nan" or "1"."""
    header = pd.read_csv(path, nrows=0).columns
    unknown = {name: [""] for name in header if name not in NAMES}
    return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=unknown)


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    return dict(_named_tables(folder))


def _named_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    for path in sorted(folder.glob("*.csv")):
        yield path.stem, read_table(path)
