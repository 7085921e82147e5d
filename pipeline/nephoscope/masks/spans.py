"""Spans: all components of a map at all pixel thresholds, from a single pass.

Pixels are added from level 255 down. A union-find keeps the area of every component and its overlap with truth. When a
component changes, the span of thresholds over which it was constant is closed. The spans hold the masks' areas and
overlaps at every threshold, so that tuning does not need the pixels again.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.masks.components import find_root
from nephoscope.masks.rle import Mask

Spans = npt.NDArray[np.int32]
"""One row per span, in no particular order. Columns: lowest and highest pixel threshold of the span; area of the
component and its overlap with truth."""
FIRST, LAST, AREA, OVERLAP = range(4)
NOT_YET = -1


def find_spans(levels: npt.NDArray[np.uint8], truth: Mask) -> Spans:
    """Levels and truth (H×W each) → the spans of all components at thresholds 1 to 255.

    >>> find_spans(np.array([[9, 0, 5]], np.uint8), np.array([[True, False, False]])).tolist()
    [[1, 9, 1, 1], [1, 5, 1, 0]]
    """
    if levels.shape != truth.shape or levels.ndim != 2:
        raise ValueError(f"levels are {levels.shape}, truth is {truth.shape}; expected the same H×W for both")
    return np.asarray(_trace(np.pad(levels, 1), np.pad(truth, 1), _RING_STARTS), np.int32)


def _ring_starts() -> npt.NDArray[np.int8]:
    """Set of occupied neighbours (256) → one neighbour per connected group, as positions in the ring, ended by -1.

    Bits and positions go clockwise from the upper left corner. Neighbours that touch each other are already connected,
    so one per group is enough.
    """
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    starts = np.full((256, 5), -1, np.int8)
    for occupied in range(256):
        left = [place for place in range(8) if occupied >> place & 1]
        count = 0
        while left:
            group = [left.pop()]
            starts[occupied, count] = group[0]
            count += 1
            for y, x in (ring[place] for place in group):
                touching = [p for p in left if max(abs(ring[p][0] - y), abs(ring[p][1] - x)) == 1]
                group += touching
                left = [p for p in left if p not in touching]
    return starts


_RING_STARTS = _ring_starts()


@njit(cache=True, nogil=True)
def _by_level(levels):  # type: ignore[no-untyped-def]
    """Flat levels → positions of all pixels with level 1 or more, highest level first."""
    counts = np.zeros(256, np.int64)
    for level in levels:
        counts[level] += 1
    starts = np.zeros(256, np.int64)
    for level in range(254, -1, -1):
        starts[level] = starts[level + 1] + counts[level + 1]
    order = np.empty(starts[0], np.int32)
    for pixel in range(len(levels)):
        level = levels[pixel]
        if level > 0:
            order[starts[level]] = pixel
            starts[level] += 1
    return order


@njit(cache=True, nogil=True)
def _close(spans, count, component, first):  # type: ignore[no-untyped-def]
    """Store the span of a component, which begins at threshold `first`. Returns the new number of spans."""
    spans[count] = component
    spans[count, FIRST] = first
    return count + 1


@njit(cache=True, nogil=True)
def _trace(padded_levels, padded_truth, ring_starts):  # type: ignore[no-untyped-def]
    width = padded_levels.shape[1]
    levels, truth = padded_levels.ravel(), padded_truth.ravel()
    ring = np.array([-width - 1, -width, -width + 1, 1, width + 1, width, width - 1, -1])
    order = _by_level(levels)
    parent = np.full(len(levels), NOT_YET, np.int32)
    open_spans = np.empty((len(levels), 4), np.int32)  # per root: the open span of its component
    spans, count = np.empty((len(order), 4), np.int32), 0
    for pixel in order:
        level = levels[pixel]
        occupied = 0
        for place in range(8):
            occupied |= (parent[pixel + ring[place]] != NOT_YET) << place
        if occupied == 0:
            parent[pixel] = pixel
            open_spans[pixel, LAST] = level
            open_spans[pixel, AREA], open_spans[pixel, OVERLAP] = 1, truth[pixel]
            continue
        root = find_root(parent, pixel + ring[ring_starts[occupied, 0]])
        if open_spans[root, LAST] > level:
            count = _close(spans, count, open_spans[root], level + 1)
            open_spans[root, LAST] = level
        for index in range(1, 5):
            place = ring_starts[occupied, index]
            if place < 0:
                break
            other = find_root(parent, pixel + ring[place])
            if other == root:
                continue
            if open_spans[other, LAST] > level:
                count = _close(spans, count, open_spans[other], level + 1)
            if open_spans[other, AREA] > open_spans[root, AREA]:
                root, other = other, root
            parent[other] = root
            open_spans[root, LAST] = level
            open_spans[root, AREA] += open_spans[other, AREA]
            open_spans[root, OVERLAP] += open_spans[other, OVERLAP]
        parent[pixel] = root
        open_spans[root, AREA] += 1
        open_spans[root, OVERLAP] += truth[pixel]
    for pixel in order:
        if parent[pixel] == pixel:
            count = _close(spans, count, open_spans[pixel], 1)
    return spans[:count].copy()
