"""The chapters of a page that tell how the run was made: training, settings, versions."""

import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel
from safetensors import safe_open

from pipeline.artifacts import TrainFolder
from pipeline.delivery.page_drawing import Drawing
from pipeline.delivery.page_tables import Cell, Table, to_cell
from pipeline.evaluation.figures import draw_history
from pipeline.evaluation.table_files import read_table
from pipeline.params import Params

HEADER = "nephoscope"
NO_FOLD = -1
LONGEST = 6  # values of a setting
MEMBER_COLUMNS = ("member", "seed", "fold", "encoder", "architecture", "input_shape", "epoch", "score")
PACKAGES = (
    "nephoscope", "torch", "torchvision", "lightning", "timm", "segmentation-models-pytorch", "albumentations",
    "onnxruntime", "scikit-learn", "numpy", "pandas", "opencv-python-headless", "numba", "zarr",
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    name: str
    drawing: Drawing
    members: Table | None


def show_training(name: str, folder: TrainFolder) -> Training:
    history, facts = read_table(folder.history), read_headers(folder.members)
    chosen = {str(one["member"]): int(one["epoch"]) for one in facts if {"member", "epoch"} <= set(one)}
    caption = f"The {name}: losses and scores over epochs; a dot is the chosen epoch"
    drawing = Drawing.of_figure(name, draw_history(history, chosen), caption)
    return Training(name, drawing, _members(name, facts) if facts else None)


def read_headers(folder: Path) -> list[dict[str, Any]]:
    """What the headers of the checkpoints say; the weights are not looked at, so torch is not needed."""
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            found.append(json.loads((file.metadata() or {}).get(HEADER, "{}")))
    return [facts for facts in found if facts]


def _members(name: str, facts: list[dict[str, Any]]) -> Table:
    # The architecture of a classifier is its encoder.
    facts = [{key: one[key] for key in one if key != "architecture" or one[key] != one.get("encoder")} for one in facts]
    columns = [column for column in MEMBER_COLUMNS if any(one.get(column, NO_FOLD) != NO_FOLD for one in facts)]
    return Table.of_frame(f"Members of the {name}", pd.DataFrame(facts, columns=columns))


def show_settings(params: Params) -> tuple[Table, ...]:
    """A table per section, its nested settings by dotted names."""
    return tuple(
        Table.of_cells(name, ["setting", "value"], [[Cell(key), Cell(value)] for key, value in _flat(section)])
        for name, section in params
    )


def _flat(section: BaseModel, prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in section:
        nested = isinstance(value, BaseModel)
        rows += _flat(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", _text(value))]
    return rows


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, tuple) and len(value) > LONGEST:
        return f"{', '.join(map(str, value[:3]))}, …, {value[-1]} ({len(value)} values)"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def show_versions() -> Table:
    rows = [[Cell("Python"), Cell(platform.python_version())]]
    for package in PACKAGES:
        try:
            rows.append([Cell(package), Cell(version(package))])
        except PackageNotFoundError:  # an edition without it
            continue
    return Table.of_cells("Versions", ["package", "version"], rows)


def show_splits(splits: pd.Series) -> Table:
    """The split of every picture → pictures per split."""
    counts = splits.value_counts(sort=False)
    rows = [[Cell(str(name)), to_cell(int(count))] for name, count in counts.items()]
    return Table.of_cells("Pictures per split", ["split", "pictures"], rows)
