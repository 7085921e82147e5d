"""Tables on disk: a folder of CSV files, one per table."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.artifacts import writing


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame], *, plotted: bool = False) -> None:
    """The folder takes its place only once it is whole."""
    # DVC hands its plots the text of a number, which Vega takes to sort by: 8.7e-06 would come after 1.0.
    float_format = "%.6f" if plotted else None
    with writing(folder) as unfinished:
        unfinished.mkdir()
        for name, table in tables.items():
            table.to_csv(unfinished / f"{name}.csv", index=False, float_format=float_format)
