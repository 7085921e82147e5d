"""Resizing of images, masks and probabilities; bit planes. A shape is always (height, width)."""

from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.masks.rle import Mask, Shape

Image = npt.NDArray[np.uint8]
Planes = npt.NDArray[np.uint8] | npt.NDArray[np.int32]
"""Masks of all classes in one array: bit c is class c. 8 bits hold up to 8 classes, 32 bits hold more."""
MAX_CLASSES = 32
GALLERY_PIXELS = 100_000
"""Size of an image in a gallery: the patterns are visible, and a page can hold many images."""


def resize_image(image: Image, shape: Shape) -> Image:
    """Image (H×W×3) → image of this shape, for display. For networks use `nephoscope.data.images.fit_image`."""
    if image.shape[:2] == tuple(shape):
        return image
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=_interpolation(image, shape)), np.uint8)


def resize_mask(mask: Mask, shape: Shape) -> Mask:
    """Mask (H×W) → mask of this shape; a pixel is set if at least half of its area was set.

    >>> resize_mask(np.array([[1, 0, 1, 1], [0, 0, 0, 1]], bool), (1, 2))
    array([[False,  True]])
    """
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


def plane_type(class_count: int) -> Any:
    """The data type of planes with this number of classes."""
    if class_count > MAX_CLASSES:
        raise ValueError(f"{class_count} classes; a plane has at most {MAX_CLASSES} bits, one for each class")
    return np.uint8 if class_count <= 8 else np.int32  # PyTorch cannot shift unsigned types of more bits


def to_planes(masks: npt.NDArray[np.bool_]) -> Planes:
    """Masks (C×H×W bool, C at most 32) → planes (H×W): bit c is class c.

    >>> to_planes(np.array([[[1, 0]], [[1, 1]]], bool))
    array([[3, 2]], dtype=uint8)
    """
    dtype = plane_type(len(masks))
    weights = np.left_shift(dtype(1), np.arange(len(masks), dtype=dtype))
    planes: Any = (masks * weights[:, None, None]).sum(0)
    return cast("Planes", planes.astype(dtype))


def from_planes(planes: Planes, class_count: int) -> npt.NDArray[np.bool_]:
    """Planes (…×H×W) → masks (…×C×H×W bool)."""
    bits = np.arange(class_count, dtype=planes.dtype)[:, None, None]
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
