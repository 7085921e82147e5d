"""Downloads of one decision: a submission (CSV), masks (PNG or GeoTIFF in a zip), outlines (GeoJSON)."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from nephoscope.app.decisions import Decision
from nephoscope.batch.outputs import encode_mask
from nephoscope.batch.submission import write_submission
from nephoscope.data.formats import Format
from nephoscope.earth.writing.geotiff import encode_geotiffs
from nephoscope.errors import UserError, missing_extra

Kind = Literal["submission", "masks", "outlines", "geotiff"]


@dataclass(frozen=True)
class File:
    name: str
    media_type: str
    content: bytes


def write_csv(data_format: Format, decision: Decision) -> File:
    """Submission with the rows of this image; RLE at the output shape."""
    image_id, shape = decision.result.image_id, decision.result.visible.shape
    if shape != data_format.output_shape:
        raise UserError(f"{image_id}: a submission holds masks of {data_format.output_shape}, these have {shape}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submission.csv"
        write_submission(path, data_format, [(image_id, decision.masks)])
        return File(f"{_stem(image_id)}-submission.csv", "text/csv; charset=utf-8", path.read_bytes())


def write_pngs(_: Format, decision: Decision) -> File:
    """Zip with one mask per class, also empty ones: white on black, one bit per pixel."""
    stem = _stem(decision.result.image_id)
    masks = zip(decision.rules.classes, decision.masks, strict=True)
    return File(
        f"{stem}-masks.zip",
        "application/zip",
        _to_zip({f"{stem}_{class_name}.png": encode_mask(mask) for class_name, mask in masks}),
    )


def write_outlines(_: Format, decision: Decision) -> File:
    """Longitude and latitude where the image has a place, otherwise pixels of the masks."""
    content = json.dumps(decision.result.to_geojson()).encode()
    return File(f"{_stem(decision.result.image_id)}-outlines.geojson", "application/geo+json", content)


def write_geotiff(_: Format, decision: Decision) -> File:
    """Zip with a cloud-optimised GeoTIFF per class and one of the probabilities. The image must have a place."""
    try:
        files = encode_geotiffs(decision.result)
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
    return File(f"{_stem(decision.result.image_id)}-geotiff.zip", "application/zip", _to_zip(files))


def _to_zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


WRITERS: dict[Kind, Callable[[Format, Decision], File]] = {
    "submission": write_csv,
    "masks": write_pngs,
    "outlines": write_outlines,
    "geotiff": write_geotiff,
}


def _stem(image_id: str) -> str:
    return PurePosixPath(image_id).stem
