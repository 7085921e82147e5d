"""Images embedded in a page: WebP as data URIs, so that the page stays one file of bounded size."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from nephoscope.evaluation.tables import read_table
from nephoscope.masks.geometry import Image, resize_image

LARGEST_WIDTH = 1400  # pixels
HEAT_MAP_BUDGET = 1_200_000
"""characters for all heat maps of a page together"""


class Compression(NamedTuple):
    quality: int
    """of WebP, 0 to 100"""
    scale: float = 1.0


COMPRESSIONS = (
    Compression(82),
    Compression(65),
    Compression(55, 0.85),
    Compression(50, 0.7),
    Compression(45, 0.55),
    Compression(40, 0.4),
    Compression(30, 0.3),
)
"""from best quality to smallest size"""


def to_data_uri(image: Image, compression: Compression = COMPRESSIONS[0]) -> str:
    """Image (H×W×3, RGB) → data URI for a `src`."""
    height, width = image.shape[:2]
    shape = max(round(height * compression.scale), 1), max(round(width * compression.scale), 1)
    _, encoded = cv2.imencode(
        ".webp", resize_image(image, shape)[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, compression.quality]
    )
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def to_data_uris(images: Sequence[Image], budget: int) -> list[str]:
    """Images → data URIs, all in the best compression that fits the budget (characters), or else in the smallest."""
    for compression in COMPRESSIONS:
        sources = [to_data_uri(image, compression) for image in images]
        if sum(map(len, sources)) <= budget:
            break
    return sources


def recompress(content: bytes) -> str | None:
    """Bytes of an image file, such as a large PNG → data URI; None if they are not an image."""
    image = read_embedded(content)
    return None if image is None else to_data_uri(image)


def read_embedded(content: bytes) -> Image | None:
    """Bytes of an image file → image (RGB), at most LARGEST_WIDTH wide; None if they are not an image."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
    if image is None:
        return None
    height, width = image.shape[:2]
    if width > LARGEST_WIDTH:
        image = resize_image(np.asarray(image, np.uint8), (round(height * LARGEST_WIDTH / width), LARGEST_WIDTH))
    return np.asarray(image, np.uint8)


@dataclass(frozen=True)
class HeatMap:
    """Where the classifier looked in an image whose class it got wrong."""

    image_id: str
    class_name: str
    error: str
    presence: float
    source: str
    """data URI"""


def show_heat_maps(table: Path, folder: Path) -> tuple[HeatMap, ...]:
    """heat_maps.csv (image_id, class_name, presence, error, file) and the folder of its files → readable heat maps.

    Empty if stage `explain` has not run.
    """
    if not table.exists() or not folder.is_dir():
        return ()
    rows = read_table(table).to_dict("records")
    paths = [folder / Path(str(row["file"])).name for row in rows]
    images = [read_embedded(path.read_bytes()) if path.exists() else None for path in paths]
    readable = [(row, image) for row, image in zip(rows, images, strict=True) if image is not None]
    sources = to_data_uris([image for _, image in readable], HEAT_MAP_BUDGET)
    return tuple(
        HeatMap(str(row["image_id"]), str(row["class_name"]), str(row["error"]), float(row["presence"]), source)
        for (row, _), source in zip(readable, sources, strict=True)
    )
