"""The chapter of a page that says whether the present run is better than an earlier one."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap, compare_runs
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.tables import Cell, Table, signed_cell, to_cell


@dataclass(frozen=True)
class Compared:
    decision: str
    table: Table


def show_comparison(earlier: Path, scores: pd.DataFrame, bootstrap: Bootstrap) -> Compared:
    """Tables of an earlier run and the judgements of the present one → who is ahead, and how surely."""
    path = earlier / "scores.csv"
    if not path.exists():
        raise UserError(
            f"report.earlier: {path} is missing. It says where the tables of the earlier run lie: copy the folder "
            "artifacts/evaluate/tables of that run there, or leave the setting out"
        )
    compared = compare_runs(read_table(path), scores, bootstrap)
    return Compared(tell_verdict(compared.iloc[0]), _table(compared))


def tell_verdict(mean: pd.Series) -> str:
    """The row of the mean, in a sentence."""
    if mean["low"] > 0:
        return "The present run is better: its lead is larger than chance over pictures explains."
    if mean["high"] < 0:
        return "The present run is worse: it is further behind than chance over pictures explains."
    return "The two runs cannot be told apart: the interval of their difference holds 0."


def _table(compared: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(str(row["class_name"])),
            to_cell(float(row["earlier"])),
            to_cell(float(row["present"])),
            signed_cell(row["difference"], row["low"], row["high"]),
            to_cell(float(row["better"]), "share"),
        ]
        for row in compared.to_dict("records")
    ]
    columns = ["class_name", "earlier", "present", "difference", "better"]
    return Table.of_cells("Dice of both runs on the same pictures", columns, rows, "mean")
