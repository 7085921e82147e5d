"""Masks as outlines: polygons along the edges of pixels, and GeoJSON of all classes of a picture."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from contourpy import FillType, contour_generator

from pipeline.masks.rle import Mask

Ring = list[list[float]]
"""(x, y) corners; the last is the first again."""
Polygon = list[Ring]
"""The outline, then the holes in it."""


def to_geojson(
    masks: npt.NDArray[np.bool_],
    class_names: Sequence[str],
    image_id: str,
    properties: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Masks (C×H×W) of a picture → a FeatureCollection, a MultiPolygon per class that is not empty.

    A picture does not say where on Earth it lies, so coordinates are pixels of the mask: x to the right, y down.
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
        "features": features,
    }


def find_polygons(mask: Mask) -> list[Polygon]:
    """Mask (H×W) → polygons, in pixels: the first pixel reaches from 0 to 1. Corners are cut by half a pixel."""
    ground = np.pad(mask, 1).astype(float)
    columns, rows = (np.arange(size) - 0.5 for size in ground.shape[::-1])
    found: Any = contour_generator(columns, rows, ground, fill_type=FillType.OuterOffset).filled(0.5, np.inf)
    return [
        [corners[begin:end].tolist() for begin, end in pairwise(ends)]
        for corners, ends in zip(found[0], found[1], strict=True)  # with OuterOffset: points and where rings begin
    ]
