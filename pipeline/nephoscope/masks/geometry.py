"""Resizing of images, masks and probabilities; bit planes. A shape is always (height, width)."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.masks.rle import Mask, Shape

Image = npt.NDArray[np.uint8]
GALLERY_PIXELS = 100_000
"""Size of an image in a gallery: the patterns are visible, and a page can hold many images."""


def resize_image(image: Image, shape: Shape) -> Image:
    """Image (H×W×3) → image of this shape, for display. For networks use `nephoscope.data.images.fit_image`."""
    if image.shape[:2] == tuple(shape):
        return image
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=_interpolation(image, shape)), np.uint8)


def resize_mask(mask: Mask, shape: Shape) -> Mask:
    """Mask (H×W) → mask of this shape; a pixel is set if at least half of its area was set."""
    if mask.shape == tuple(shape):
        return mask
    grey = cv2.resize(mask.astype(np.uint8) * 255, (shape[1], shape[0]), interpolation=_interpolation(mask, shape))
    return np.asarray(grey) >= 128


def to_levels(probabilities: npt.NDArray[np.float32], shape: Shape) -> npt.NDArray[np.uint8]:
    """Probabilities (C×H×W) → levels round(255·p) (C×h×w uint8) at this shape. All decisions use levels."""
    levels = np.empty((len(probabilities), *shape), np.uint8)
    for probability, level in zip(probabilities, levels, strict=True):
        resized = probability
        if probability.shape != tuple(shape):
            interpolation = _interpolation(probability, shape)
            resized = cv2.resize(probability, (shape[1], shape[0]), interpolation=interpolation)
        cv2.convertScaleAbs(resized, level, 255)
    return levels


def to_planes(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Masks (C×H×W bool, C at most 8) → planes (H×W uint8): bit c is class c."""
    if len(masks) > 8:
        raise ValueError(f"{len(masks)} classes; a plane has 8 bits, so 8 classes are the limit")
    weights = np.left_shift(np.uint8(1), np.arange(len(masks), dtype=np.uint8))
    return np.asarray((masks * weights[:, None, None]).sum(0), np.uint8)


def from_planes(planes: npt.NDArray[np.uint8], class_count: int) -> npt.NDArray[np.bool_]:
    """Planes (…×H×W uint8) → masks (…×C×H×W bool)."""
    bits = np.arange(class_count, dtype=np.uint8)[:, None, None]
    return np.asarray(np.right_shift(planes[..., None, :, :], bits) & 1, bool)


def gallery_shape(output_shape: Shape) -> Shape:
    """The output shape, reduced to about GALLERY_PIXELS.

    >>> gallery_shape((350, 525))
    (258, 387)
    """
    height, width = output_shape
    scale = min(1.0, (GALLERY_PIXELS / (height * width)) ** 0.5)
    return round(height * scale), round(width * scale)


def _interpolation(array: npt.NDArray[Any], shape: Sequence[int]) -> int:
    shrinks = array.shape[0] >= shape[0] and array.shape[1] >= shape[1]
    return cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
