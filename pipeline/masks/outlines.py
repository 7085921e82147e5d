"""Outlines: a mask as the path of an SVG, a hundredth of its weight as a picture, and sharp at any size."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.masks.rle import Mask

TOLERANCE = 1.6
"""half-pixels by which an outline may cut corners; more is seen, less weighs"""


def outline_path(mask: Mask) -> str:
    """Mask (H×W) → the `d` of a path in pixels, to be filled by `evenodd`: holes are rings of their own.

    >>> outline_path(np.array([[False, False, False], [False, True, True]]))
    'M1 1l0 1 2 0 0-1z'
    """
    rings, _ = cv2.findContours(_edges(mask), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return "".join(_ring(_simplify(ring)) for ring in rings)


def _edges(mask: Mask) -> npt.NDArray[np.uint8]:
    """Pixels as 3×3 on a grid of half-pixels, whose outermost lie on the pixel's edges.

    A contour runs through the middles of what it surrounds; so neighbours would leave a gap between them.
    """
    height, width = mask.shape
    fine = np.zeros((2 * height + 1, 2 * width + 1), np.uint8)
    for row in range(3):
        for column in range(3):
            fine[row : row + 2 * height : 2, column : column + 2 * width : 2] |= mask
    return fine


def _simplify(ring: npt.NDArray[np.integer | np.floating]) -> npt.NDArray[np.int32]:
    """Points (N×1×2) → fewer, in pixels (n×2)."""
    fewer = cv2.approxPolyDP(ring, TOLERANCE, True)
    return np.asarray((fewer if len(fewer) > 2 else ring)[:, 0] // 2, np.int32)


def _ring(points: npt.NDArray[np.int32]) -> str:
    # Steps are shorter to write than places, and a minus parts numbers as well as a space does.
    steps = " ".join(f"{x} {y}" for x, y in np.diff(points, axis=0)).replace(" -", "-")
    return f"M{points[0, 0]} {points[0, 1]}l{steps}z"
