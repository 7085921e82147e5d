"""Outlines of masks: exact polygons, GeoJSON, and SVG paths, which are about 100 times smaller than an image."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from contourpy import FillType, contour_generator

from nephoscope.masks.rle import Mask

Ring = list[list[float]]
"""(x, y) corners; the last equals the first."""
Polygon = list[Ring]
"""The outline, then the holes."""
TOLERANCE = 1.6
"""Largest error of a simplified outline, in half-pixels: a compromise between looks and file size."""


def find_polygons(mask: Mask) -> list[Polygon]:
    """Mask (H×W) → polygons in pixels. The first pixel spans 0 to 1. Corners are cut by half a pixel."""
    ground = np.pad(mask, 1).astype(float)
    columns, rows = (np.arange(size) - 0.5 for size in ground.shape[::-1])
    filled: Any = contour_generator(columns, rows, ground, fill_type=FillType.OuterOffset).filled(0.5, np.inf)
    return [
        [corners[begin:end].tolist() for begin, end in pairwise(ends)]
        for corners, ends in zip(filled[0], filled[1], strict=True)  # OuterOffset: points, and the offsets of rings
    ]


def to_geojson(
    masks: npt.NDArray[np.bool_],
    class_names: Sequence[str],
    image_id: str,
    properties: Mapping[str, Mapping[str, Any]],
    attributes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Masks (C×H×W) of an image → a GeoJSON FeatureCollection, with a MultiPolygon per class that is not empty.

    Coordinates are pixels of the mask (x to the right, y down), because the image has no georeference. `attributes`
    become members of the collection.
    """
    features = [
        {
            "type": "Feature",
            "properties": {"class_name": name, **properties[name]},
            "geometry": {"type": "MultiPolygon", "coordinates": find_polygons(mask)},
        }
        for name, mask in zip(class_names, masks, strict=True)
        if mask.any()
    ]
    height, width = masks.shape[1:]
    return {
        "type": "FeatureCollection",
        "image_id": image_id,
        "height": height,
        "width": width,
        "coordinates": "pixels, x to the right, y down",
        **(attributes or {}),
        "features": features,
    }


def exact_path(mask: Mask) -> str:
    """Mask (H×W) → the `d` of an SVG path in pixels. Fill it with `evenodd`, because holes are separate rings."""
    return "".join(_draw_ring(ring) for polygon in find_polygons(mask) for ring in polygon)


def _draw_ring(ring: Ring) -> str:
    """A ring → its path, with only the points where the direction changes."""
    points = np.array(ring[:-1])
    along, onward = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = along[:, 0] * onward[:, 1] != along[:, 1] * onward[:, 0]
    corners = "L".join(f"{x:g} {y:g}" for x, y in points[turns].tolist())
    return f"M{corners}Z"


def light_path(mask: Mask) -> str:
    """As `exact_path`, with fewer corners and whole pixels, for pages with hundreds of masks.

    >>> light_path(np.array([[False, False, False], [False, True, True]]))
    'M1 1l0 1 2 0 0-1z'
    """
    rings, _ = cv2.findContours(_edges(mask), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return "".join(_ring(_simplify(ring)) for ring in rings)


def _edges(mask: Mask) -> npt.NDArray[np.uint8]:
    """Mask (H×W) → grid of half-pixels ((2H+1)×(2W+1)); every pixel covers 3×3, up to its edges.

    OpenCV's contours pass through pixel centres, so on the mask itself neighbours would have a gap between them.
    """
    height, width = mask.shape
    fine = np.zeros((2 * height + 1, 2 * width + 1), np.uint8)
    for row in range(3):
        for column in range(3):
            fine[row : row + 2 * height : 2, column : column + 2 * width : 2] |= mask
    return fine


def _simplify(ring: npt.NDArray[np.integer | np.floating]) -> npt.NDArray[np.int32]:
    """Points (N×1×2, half-pixels) → fewer points (n×2, pixels)."""
    fewer = cv2.approxPolyDP(ring, TOLERANCE, True)
    return np.asarray((fewer if len(fewer) > 2 else ring)[:, 0] // 2, np.int32)


def _ring(points: npt.NDArray[np.int32]) -> str:
    # Relative steps are shorter than positions, and a minus separates numbers as a space does.
    steps = " ".join(f"{x} {y}" for x, y in np.diff(points, axis=0)).replace(" -", "-")
    return f"M{points[0, 0]} {points[0, 1]}l{steps}z"
