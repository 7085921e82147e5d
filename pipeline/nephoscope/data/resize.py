"""The filter through which networks see images: bilinear, widened when an image shrinks, in fixed-point arithmetic.

It gives the same bytes as PyTorch's `interpolate(mode="bilinear", antialias=True)` for uint8, without loading PyTorch.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

LARGEST_WEIGHT = 1 << 15
"""Weights are stored as 16-bit integers, as PyTorch does."""
MAX_PRECISION = 22


class Taps(NamedTuple):
    """Which input pixels make an output pixel, along one axis: `starts[i] … starts[i] + counts[i]`."""

    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.int32]
    """outputs × taps, in units of 2 ** -precision"""
    precision: int


def resize_antialiased(image: Image, shape: Shape) -> Image:
    """Image (H×W×3 uint8) → image of this shape (h×w×3 uint8)."""
    height, width = shape
    if image.shape[1] != width:
        rows = np.empty((image.shape[0], width, 3), np.uint8)
        _filter_columns(np.ascontiguousarray(image), *_taps(image.shape[1], width), rows)
        image = rows
    if image.shape[0] != height:
        flat = np.empty((height, 3 * width), np.uint8)
        _filter_rows(np.ascontiguousarray(image).reshape(len(image), -1), *_taps(image.shape[0], height), flat)
        image = flat.reshape(height, width, 3)
    return image


@lru_cache(maxsize=64)
def _taps(input_size: int, output_size: int) -> Taps:
    scale = input_size / output_size
    support = max(scale, 1.0)
    centers = scale * (np.arange(output_size) + 0.5)
    starts = np.maximum((centers - support + 0.5).astype(np.int64), 0)
    counts = np.minimum((centers + support + 0.5).astype(np.int64), input_size) - starts
    taps = np.arange(int(counts.max()))
    distances = (taps + starts[:, None] - centers[:, None] + 0.5) * (1 / support)
    weights = np.clip(1 - np.abs(distances), 0, None) * (taps < counts[:, None])
    # Summed in the order of PyTorch, because the order decides the last bit.
    weights /= np.cumsum(weights, axis=1)[:, -1:]
    precision = 0
    while precision < MAX_PRECISION and int(0.5 + weights.max() * (1 << (precision + 1))) < LARGEST_WEIGHT:
        precision += 1
    return Taps(starts, counts, (weights * (1 << precision) + 0.5).astype(np.int32), precision)


@njit(cache=True, nogil=True)
def _filter_columns(image, starts, counts, weights, precision, filtered):  # type: ignore[no-untyped-def]
    """Image (H×W×3) → filtered (H×w×3). Sums are rounded, and clipped to 0 … 255."""
    half = np.int32(1 << (precision - 1))
    for y in range(image.shape[0]):
        for x in range(filtered.shape[1]):
            start = starts[x]
            red = green = blue = half
            for tap in range(counts[x]):
                weight = weights[x, tap]
                red += weight * np.int32(image[y, start + tap, 0])
                green += weight * np.int32(image[y, start + tap, 1])
                blue += weight * np.int32(image[y, start + tap, 2])
            filtered[y, x, 0] = min(max(red >> precision, 0), 255)
            filtered[y, x, 1] = min(max(green >> precision, 0), 255)
            filtered[y, x, 2] = min(max(blue >> precision, 0), 255)


@njit(cache=True, nogil=True)
def _filter_rows(rows, starts, counts, weights, precision, filtered):  # type: ignore[no-untyped-def]
    """Rows (H×L) → filtered (h×L), with the same rounding."""
    half = np.int32(1 << (precision - 1))
    sums = np.empty(rows.shape[1], np.int32)
    for y in range(filtered.shape[0]):
        sums[:] = half
        for tap in range(counts[y]):
            weight, row = weights[y, tap], rows[starts[y] + tap]
            for i in range(len(row)):
                sums[i] += weight * np.int32(row[i])
        for i in range(len(sums)):
            filtered[y, i] = min(max(sums[i] >> precision, 0), 255)
