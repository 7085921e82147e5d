"""Tables on disk: a folder of CSV files, one per table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from pipeline.artifacts import writing

NAMES = ("image_id", "class_name", "member", "pattern")
"""Columns of text"""


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame], *, plotted: bool = False) -> None:
    """The folder takes its place only once it is whole."""
    # DVC hands its plots the text of a number, which Vega takes to sort by: 8.7e-06 would come after 1.0.
    float_format = "%.6f" if plotted else None
    with writing(folder) as unfinished:
        unfinished.mkdir()
        for name, table in tables.items():
            table.to_csv(unfinished / f"{name}.csv", index=False, float_format=float_format)


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
