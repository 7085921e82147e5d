"""Chapters on how the run was made: training, splits, settings, versions."""

import dataclasses
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
from pydantic import BaseModel

from nephoscope.artifacts import TrainFolder
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.evaluation import draw_history
from nephoscope.figures.svg import Drawing
from nephoscope.figures.tables import Cell, Table, setting_text, to_cell
from nephoscope.models.metadata import NetworkMetadata, load_metadata
from nephoscope.settings.params import Params

NO_FOLD = -1
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
    """History of a network's training, and a table of its members if the checkpoints are there."""
    networks = [load_metadata(path) for path in sorted(folder.members.glob("*.safetensors"))]
    chosen = {network.member: network.epoch for network in networks}
    caption = f"Losses and scores of the {name} over epochs; a dot marks the chosen epoch"
    drawing = Drawing.of_figure(name, draw_history(read_table(folder.history), chosen), caption)
    return Training(name, drawing, _members(name, networks) if networks else None)


def _members(name: str, networks: Sequence[NetworkMetadata]) -> Table:
    """Columns that say something: no fold without folds, no architecture for a classifier, which is its encoder."""
    rows = [dataclasses.asdict(network) for network in networks]
    for row in rows:
        if row["architecture"] == row["encoder"]:
            del row["architecture"]
    columns = [column for column in MEMBER_COLUMNS if any(row.get(column, NO_FOLD) != NO_FOLD for row in rows)]
    return Table.of_frame(f"Members of the {name}", pd.DataFrame(rows, columns=columns))


def show_settings(params: Params) -> tuple[Table, ...]:
    """One table per section; nested settings have dotted names."""
    return tuple(
        Table.of_cells(name, ["setting", "value"], [[Cell(key), Cell(value)] for key, value in _flat(section)])
        for name, section in params
    )


def _flat(section: BaseModel, prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in section:
        nested = isinstance(value, BaseModel)
        rows += _flat(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", setting_text(value))]
    return rows


def show_versions() -> Table:
    rows = [[Cell("Python"), Cell(platform.python_version())]]
    for package in PACKAGES:
        try:
            rows.append([Cell(package), Cell(version(package))])
        except PackageNotFoundError:  # not installed, for example without an extra
            continue
    return Table.of_cells("Versions", ["package", "version"], rows)


def show_splits(splits: pd.Series) -> Table:
    """The split of every image → images per split."""
    counts = splits.value_counts(sort=False)
    rows = [[Cell(str(name)), to_cell(int(count))] for name, count in counts.items()]
    return Table.of_cells("Images per split", ["split", "images"], rows)
