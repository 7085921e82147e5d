"""Masks drawn over a picture: an outline per class in its colour, and stripes where nothing was seen."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.masks.colours import CLASS_COLOURS, Colour
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Mask

HALO: Colour = (20, 20, 20)
STRIPES: Colour = (120, 120, 120)
STRIPE_PERIOD = 12  # pixels
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.6


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


def write_names(image: Image, masks: npt.NDArray[np.bool_], names: Sequence[str]) -> Image:
    """The name of every class that is there, in its colour, deep inside its largest part, where no outline runs."""
    canvas = image.copy()
    for mask, name, colour in zip(masks, names, CLASS_COLOURS, strict=False):
        if mask.any():
            # Beyond the border there is nothing, so that the middle of a mask that fills the picture is deepest.
            depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            (width, height), _ = cv2.getTextSize(name, FONT, FONT_SCALE, 1)
            left = int(np.clip(column - width // 2, 3, max(3, image.shape[1] - width - 3)))
            bottom = int(np.clip(row + height // 2, height + 3, image.shape[0] - 6))
            cv2.rectangle(canvas, (left - 3, bottom - height - 3), (left + width + 3, bottom + 6), HALO, cv2.FILLED)
            cv2.putText(canvas, name, (left, bottom), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)
    return canvas
