"""The invisible region: the black strip between two orbits of a satellite, where nobody saw anything."""

import numpy as np
import numpy.typing as npt

from pipeline.masks.components import keep_components, label_components
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Mask

# JPEG leaves the strip's pixels at 0 to 15 of 255. The darkest ocean lies above 20, save in rare pictures that were
# darkened as a whole, and those hardly hold a pixel below 3.
DARK = 15
BLACK = 2
BLACK_SHARE = 0.2
SMALLEST_SHARE = 0.002
"""Of the picture. What is smaller, dark in the bright or bright in the dark, belongs to what surrounds it."""


def find_visible(image: Image, nodata: bool = True) -> Mask:
    """Image (H×W×3) at the cache shape → its visible pixels (H×W); all of them where the format has no nodata."""
    if not nodata:
        return np.ones(image.shape[:2], bool)
    brightest = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    strip = _drop_small(_mostly_black(brightest), SMALLEST_SHARE * brightest.size)
    return _drop_small(~strip, SMALLEST_SHARE * brightest.size)


def _mostly_black(brightest: npt.NDArray[np.uint8]) -> Mask:
    """Dark components that are truly black to a fair share: shadows and dark water are not."""
    components = label_components(brightest <= DARK)
    black = np.bincount(components.labels[brightest <= BLACK], minlength=len(components.areas) + 1)[1:]
    return keep_components(components, black >= BLACK_SHARE * components.areas)


def _drop_small(mask: Mask, smallest_area: float) -> Mask:
    components = label_components(mask)
    return keep_components(components, components.areas >= smallest_area)
