"""The chapter of a page that shows where the classifier looked when it was wrong; none where nobody asked."""

from dataclasses import dataclass
from pathlib import Path

from nephoscope.evaluation.tables import read_table
from nephoscope.report.images import read_picture, to_data_uris

BUDGET = 1_200_000
"""characters of all heat maps of a page together"""


@dataclass(frozen=True)
class HeatMap:
    image_id: str
    class_name: str
    error: str
    presence: float
    source: str


def show_heat_maps(table: Path, folder: Path) -> tuple[HeatMap, ...]:
    """image_id, class_name, presence, error, file, and the folder of the files → every picture that is there."""
    if not table.exists() or not folder.is_dir():
        return ()
    rows = read_table(table).to_dict("records")
    files = [folder / Path(str(row["file"])).name for row in rows]
    found = [
        (row, image)
        for row, path in zip(rows, files, strict=True)
        if path.exists() and (image := read_picture(path.read_bytes())) is not None
    ]
    sources = to_data_uris([image for _, image in found], BUDGET)
    return tuple(
        HeatMap(str(row["image_id"]), str(row["class_name"]), str(row["error"]), float(row["presence"]), source)
        for (row, _), source in zip(found, sources, strict=True)
    )
