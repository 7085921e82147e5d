"""Filling of polygons and boxes, and COCO's run-length code. A pixel belongs to an area if its centre does."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.masks.rle import Mask, RleError, Shape

FARTHEST = 1e7
"""Largest coordinate, in pixels. Beyond it there are only mistakes."""


def fill_polygon(points: npt.NDArray[np.float64], shape: Shape) -> Mask:
    """Corners (N×2: x, y in pixels; the first pixel spans 0 to 1) → mask (H×W), by the even-odd rule.

    Parts outside the shape are cut off.

    >>> fill_polygon(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]), (2, 3)).astype(int)
    array([[1, 1, 0],
           [0, 0, 0]])
    """
    height, width = shape
    crossings = np.zeros((height, width + 1), np.uint8)
    _add_crossings(np.ascontiguousarray(points, np.float64), crossings)
    filled = np.bitwise_xor.accumulate(crossings[:, :width], axis=1)
    return filled.view(bool)


@njit(cache=True, nogil=True)
def _add_crossings(points, crossings):  # type: ignore[no-untyped-def]
    """Toggle, in every row, the first pixel whose centre lies at or right of an edge."""
    height, width = crossings.shape[0], crossings.shape[1] - 1
    for index in range(len(points)):
        after = (index + 1) % len(points)
        x1, y1, x2, y2 = points[index, 0], points[index, 1], points[after, 0], points[after, 1]
        if y1 > y2:
            x1, y1, x2, y2 = x2, y2, x1, y1
        # Rows whose centre lies in y1 … y2, without y2: a corner on a centre counts for one of its edges.
        for row in range(max(0, ceil(y1 - 0.5)), min(height, ceil(y2 - 0.5))):
            x = x1 + (row + 0.5 - y1) * (x2 - x1) / (y2 - y1)
            crossings[row, min(max(ceil(x - 0.5), 0), width)] ^= 1


def fill_box(box: tuple[float, float, float, float], shape: Shape) -> tuple[slice, slice]:
    """(x1, y1, x2, y2) in pixels → the rows and columns of its pixels; parts outside the shape are cut off.

    >>> fill_box((-3, 0.4, 2, 1.6), (5, 5))
    (slice(0, 2, None), slice(0, 2, None))
    """
    x1, y1, x2, y2 = box
    rows, columns = (
        slice(min(max(ceil(low - 0.5), 0), size), min(max(ceil(high - 0.5), 0), size))
        for low, high, size in ((y1, y2, shape[0]), (x1, x2, shape[1]))
    )
    return rows, columns


def decode_counts(counts: str | Sequence[int], shape: Shape) -> Mask:
    """COCO's numbers of pixels that are off, on, off, …, column by column, or their text → mask; raises RleError.

    >>> decode_counts([1, 2, 1], (2, 2)).astype(int)
    array([[0, 1],
           [1, 0]])
    """
    numbers = _read_counts(counts) if isinstance(counts, str) else list(counts)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise RleError("a count is not a whole number from 0")
    total = sum(numbers)
    if total != shape[0] * shape[1]:
        raise RleError(f"the counts add up to {total} pixels, but {shape[0]}×{shape[1]} are {shape[0] * shape[1]}")
    values = np.arange(len(numbers)) % 2 == 1
    return np.repeat(values, numbers).reshape(shape[::-1]).T


LOWEST, SIGN, MORE, BITS = 48, 0x10, 0x20, 5
"""A letter of the text holds five bits, the lowest first. Another bit says that the number goes on."""
LONGEST = 13  # letters; enough for 64 bits


def _read_counts(text: str) -> list[int]:
    """COCO's compressed text → counts. From the fourth on, a number is the difference to the count two before."""
    counts: list[int] = []
    value = length = 0
    for letter in text:
        code = ord(letter) - LOWEST
        if not 0 <= code < 2 * MORE or length == LONGEST:
            raise RleError(f"{letter!r} is not possible at this place of the compressed counts")
        value |= (code & (MORE - 1)) << (BITS * length)
        length += 1
        if code & MORE:
            continue
        if code & SIGN:
            value -= 1 << (BITS * length)
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = length = 0
    if length:
        raise RleError("the compressed counts end within a number")
    return counts
