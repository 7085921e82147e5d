"""The invisible region (nodata): the black strip between two orbits of a satellite."""

import cv2
import numpy as np

from nephoscope.masks.components import keep_components, label_components
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask

# After JPEG compression the strip has levels of 0 to 15. The darkest ocean is above 20, except in a few images that are
# dark as a whole; these have almost no pixel below 3.
DARK = 15
BLACK = 2
BLACK_SHARE = 0.2
SMALLEST_SHARE = 0.002
"""Share of the image. A smaller region belongs to its surroundings, both for dark and for bright regions."""


def find_visible(image: Image, nodata: bool = True) -> Mask:
    """Image (H×W×3) at the cache shape → its visible pixels (H×W). Without nodata all pixels are visible."""
    if not nodata:
        return np.ones(image.shape[:2], bool)
    black = _at_most(image, BLACK)
    if not black.any():
        return np.ones(image.shape[:2], bool)
    smallest_area = SMALLEST_SHARE * black.size
    strip = _drop_small(_mostly_black(_at_most(image, DARK), black), smallest_area)
    return _drop_small(~strip, smallest_area)


def _at_most(image: Image, level: int) -> Mask:
    """Pixels whose channels are all at most this level."""
    return np.asarray(cv2.inRange(image, (0, 0, 0), (level, level, level))).view(bool)


def _mostly_black(dark: Mask, black: Mask) -> Mask:
    """Dark components with a large share of black pixels. Shadows and dark water have few."""
    components = label_components(dark)
    blackness = np.bincount(components.labels[black], minlength=len(components.areas) + 1)[1:]
    return keep_components(components, blackness >= BLACK_SHARE * components.areas)


def _drop_small(mask: Mask, smallest_area: float) -> Mask:
    components = label_components(mask)
    return keep_components(components, components.areas >= smallest_area)
