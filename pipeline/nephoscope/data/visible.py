"""The invisible region: the black strip between two orbits of a satellite, where nobody saw anything."""

import cv2
import numpy as np

from nephoscope.masks.components import keep_components, label_components
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask

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
    black = _at_most(image, BLACK)
    if not black.any():
        return np.ones(image.shape[:2], bool)
    smallest_area = SMALLEST_SHARE * black.size
    strip = _drop_small(_mostly_black(_at_most(image, DARK), black), smallest_area)
    return _drop_small(~strip, smallest_area)


def _at_most(image: Image, level: int) -> Mask:
    """Where the brightest colour is."""
    return np.asarray(cv2.inRange(image, (0, 0, 0), (level, level, level))).view(bool)


def _mostly_black(dark: Mask, black: Mask) -> Mask:
    """Dark components that are truly black to a fair share: shadows and dark water are not."""
    components = label_components(dark)
    blackness = np.bincount(components.labels[black], minlength=len(components.areas) + 1)[1:]
    return keep_components(components, blackness >= BLACK_SHARE * components.areas)


def _drop_small(mask: Mask, smallest_area: float) -> Mask:
    components = label_components(mask)
    return keep_components(components, components.areas >= smallest_area)
