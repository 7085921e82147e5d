"""Downloads of one decision: a submission (CSV), masks (PNG in a zip), outlines (GeoJSON)."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from nephoscope.app.decisions import Decision
from nephoscope.app.schemas import presence_fields
from nephoscope.batch.outputs import encode_mask
from nephoscope.batch.submission import write_submission
from nephoscope.data.formats import Format
from nephoscope.masks.outlines import to_geojson

Kind = Literal["submission", "masks", "outlines"]


@dataclass(frozen=True)
class File:
    name: str
    media_type: str
    content: bytes


def write_csv(data_format: Format, image_id: str, decision: Decision) -> File:
    """Submission with the rows of this image; RLE at the output shape."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submission.csv"
        write_submission(path, data_format, [(image_id, decision.masks)])
        return File(f"{_stem(image_id)}-submission.csv", "text/csv; charset=utf-8", path.read_bytes())


def write_pngs(_: Format, image_id: str, decision: Decision) -> File:
    """Zip with one mask per class, also empty ones: white on black, one bit per pixel."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for class_name, mask in zip(decision.rules.classes, decision.masks, strict=True):
            archive.writestr(f"{_stem(image_id)}_{class_name}.png", encode_mask(mask))
    return File(f"{_stem(image_id)}-masks.zip", "application/zip", buffer.getvalue())


def write_outlines(_: Format, image_id: str, decision: Decision) -> File:
    properties = {str(fields.pop("class_name")): fields for fields in presence_fields(decision)}
    outlines = to_geojson(decision.masks, decision.rules.classes, image_id, properties)
    return File(f"{_stem(image_id)}-outlines.geojson", "application/geo+json", json.dumps(outlines).encode())


WRITERS: dict[Kind, Callable[[Format, str, Decision], File]] = {
    "submission": write_csv,
    "masks": write_pngs,
    "outlines": write_outlines,
}


def _stem(image_id: str) -> str:
    return PurePosixPath(image_id).stem
