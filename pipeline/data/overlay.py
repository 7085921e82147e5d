"""Masks drawn over a picture: an outline per class in its colour, and stripes where nothing was seen."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.masks.colours import CLASS_COLOURS, Colour
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Mask

HALO: Colour = (20, 20, 20)
STRIPES: Colour = (120, 120, 120)
STRIPE_PERIOD = 12  # pixels


def draw_overlay(image: Image, masks: npt.NDArray[np.bool_], visible: Mask, thickness: int = 2) -> Image:
    """Image (H×W×3), masks (C×H×W) and visible pixels (H×W) → a new image; lines are this many pixels thick."""
    canvas = np.ascontiguousarray(image).copy()
    rows, columns = np.indices(visible.shape)
    canvas[~visible & ((rows + columns) % STRIPE_PERIOD < STRIPE_PERIOD // 4)] = STRIPES
    for mask, colour in zip(masks, CLASS_COLOURS, strict=False):
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        # A dark rim keeps a colour readable on clouds of the same brightness.
        cv2.drawContours(canvas, outlines, -1, HALO, thickness + 2, cv2.LINE_AA)
        cv2.drawContours(canvas, outlines, -1, colour, thickness, cv2.LINE_AA)
    return canvas
