"""The chapters of a page that tell how the run was made: training, settings, versions."""

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
    metadata = [load_metadata(path) for path in sorted(folder.members.glob("*.safetensors"))]
    chosen = {one.member: one.epoch for one in metadata}
    caption = f"The {name}: losses and scores over epochs; a dot is the chosen epoch"
    drawing = Drawing.of_figure(name, draw_history(read_table(folder.history), chosen), caption)
    return Training(name, drawing, _members(name, metadata) if metadata else None)


def _members(name: str, metadata: Sequence[NetworkMetadata]) -> Table:
    rows = [dataclasses.asdict(one) for one in metadata]
    for row in rows:
        if row["architecture"] == row["encoder"]:  # a classifier's
            del row["architecture"]
    columns = [column for column in MEMBER_COLUMNS if any(row.get(column, NO_FOLD) != NO_FOLD for row in rows)]
    return Table.of_frame(f"Members of the {name}", pd.DataFrame(rows, columns=columns))


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
        rows += _flat(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", setting_text(value))]
    return rows


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
