"""Masks as GeoJSON in longitude and latitude after RFC 7946, cut at the antimeridian."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import Grid
from nephoscope.earth.scene import Place
from nephoscope.masks.outlines import Polygon, Ring, find_polygons
from nephoscope.masks.rle import Mask

DIGITS = 6
"""Decimals of a degree: 0.1 m."""


def to_geojson(
    masks: npt.NDArray[np.bool_],
    class_names: Sequence[str],
    image_id: str,
    properties: Mapping[str, Mapping[str, Any]],
    place: Place,
    attributes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Masks (C×H×W) on the grid of `place` → a FeatureCollection with a MultiPolygon per class that is not empty.

    `attributes` become members of the collection. Outer rings run counter-clockwise, holes clockwise.
    """
    grid = place.grid.resized((masks.shape[1], masks.shape[2]))
    features = [
        _feature(mask, {"class_name": name, **properties[name]}, grid)
        for name, mask in zip(class_names, masks, strict=True)
        if mask.any()
    ]
    collection: dict[str, Any] = {"type": "FeatureCollection", "image_id": image_id}
    if features:
        collection["bbox"] = _bounding_box(np.asarray(masks.any(0)), grid)
    if place.time is not None:
        collection["time"] = f"{place.time.astype('datetime64[s]')}Z"
    return {**collection, **(attributes or {}), "features": features}


def _feature(mask: Mask, properties: Mapping[str, Any], grid: Grid) -> dict[str, Any]:
    return {
        "type": "Feature",
        "bbox": _bounding_box(mask, grid),
        "properties": dict(properties),
        "geometry": {"type": "MultiPolygon", "coordinates": list(find_earth_polygons(mask, grid))},
    }


def find_earth_polygons(mask: Mask, grid: Grid) -> Iterator[Polygon]:
    """Mask (H×W) → polygons in degrees from −180 to 180, of which none crosses the antimeridian."""
    a, _, west, _, e, north = grid.transform
    for zone, columns in _zones(grid):
        left, right = 360 * zone - 180, 360 * zone + 180
        for polygon in find_polygons(mask[:, columns]):
            yield [
                _wind(
                    [
                        # A column across the antimeridian belongs to both zones, and each ends there.
                        (min(max(west + a * (columns.start + x), left), right) - 360 * zone, north + e * y)
                        for x, y in ring
                    ],
                    clockwise=index > 0,
                )
                for index, ring in enumerate(polygon)
            ]


def _zones(grid: Grid) -> Iterator[tuple[int, slice]]:
    """(number of turns around the Earth, columns) of every part between two crossings of the antimeridian."""
    west, _, east, _ = grid.bounds
    step, count = grid.transform[0], grid.shape[1]
    first, last = math.floor(round((west + 180) / 360, 9)), math.ceil(round((east + 180) / 360, 9)) - 1
    for zone in range(first, last + 1):
        begin = math.floor(round((360 * zone - 180 - west) / step, 6))
        end = math.ceil(round((360 * zone + 180 - west) / step, 6))
        yield zone, slice(max(0, begin), min(count, end))


def _wind(corners: Sequence[tuple[float, float]], clockwise: bool) -> Ring:
    """Corners without repetition, in the direction that RFC 7946 asks for."""
    rounded = [[round(x, DIGITS), round(y, DIGITS)] for x, y in corners]
    ring = [rounded[0], *(after for before, after in pairwise(rounded) if after != before)]
    x, y = np.array(ring).T
    runs_clockwise = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) < 0
    return ring if runs_clockwise == clockwise else ring[::-1]


def _bounding_box(mask: Mask, grid: Grid) -> list[float]:
    """[west, south, east, north] of the mask's pixels; west exceeds east where they cross the antimeridian."""
    a, _, west, _, e, north = grid.transform
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    left, right = west + a * columns[0], west + a * (columns[-1] + 1)
    turns = math.floor(round((left + 180) / 360, 9))
    left, right = left - 360 * turns, right - 360 * turns
    box = left, north + e * (rows[-1] + 1), right - 360 if right > 180 + 1e-9 else right, north + e * rows[0]
    return [round(float(value), DIGITS) for value in box]
