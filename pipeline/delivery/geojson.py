"""GeoJSON: the masks of a picture as outlines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.masks.outlines import find_polygons


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
