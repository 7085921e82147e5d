"""Masks as SVG paths."""

import numpy as np
import numpy.typing as npt

from pipeline.delivery.outlines import to_geojson
from pipeline.masks.rle import Mask


def draw_path(mask: Mask) -> str:
    """Mask (H×W) → the `d` of a path in pixels, holes by the even-odd rule; "" for an empty mask."""
    features = to_geojson(mask[None], [""], "", {"": {}})["features"]
    polygons = features[0]["geometry"]["coordinates"] if features else []
    return "".join(_draw_ring(ring) for polygon in polygons for ring in polygon)


def draw_paths(masks: npt.NDArray[np.bool_]) -> list[str]:
    return [draw_path(mask) for mask in masks]


def _draw_ring(ring: list[list[float]]) -> str:
    """Only the corners: outlines have a point for every pixel they pass."""
    points = np.array(ring[:-1])
    along, onward = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = along[:, 0] * onward[:, 1] != along[:, 1] * onward[:, 0]
    corners = "L".join(f"{x:g} {y:g}" for x, y in points[turns].tolist())
    return f"M{corners}Z"
