"""Chapter "Comparison with an earlier run": which of the two runs is better, and how certain that is."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap, compare_runs
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.tables import Cell, Table, signed_cell, to_cell


@dataclass(frozen=True)
class Comparison:
    conclusion: str
    table: Table


def show_comparison(earlier: Path, scores: pd.DataFrame, bootstrap: Bootstrap) -> Comparison:
    """Folder of the earlier run's tables, and scores of the present run → conclusion and differences per class."""
    path = earlier / "scores.csv"
    if not path.exists():
        raise UserError(
            f"report.earlier: {path} is missing; copy the folder artifacts/evaluate/tables of the earlier run to "
            f"{earlier}, or remove the setting"
        )
    differences = compare_runs(read_table(path), scores, bootstrap)
    return Comparison(describe_difference(differences.iloc[0]), _table(differences))


def describe_difference(mean: pd.Series) -> str:
    """The row of the mean → one sentence."""
    if mean["low"] > 0:
        return "The present run is better: the interval of the difference lies above 0."
    if mean["high"] < 0:
        return "The present run is worse: the interval of the difference lies below 0."
    return "No clear difference between the two runs: the interval of the difference contains 0."


def _table(differences: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(str(row["class_name"])),
            to_cell(float(row["earlier"])),
            to_cell(float(row["present"])),
            signed_cell(row["difference"], row["low"], row["high"]),
            to_cell(float(row["better"]), "share"),
        ]
        for row in differences.to_dict("records")
    ]
    columns = ["class_name", "earlier", "present", "difference", "better"]
    return Table.of_cells("Dice of both runs on the same images", columns, rows, "mean")
