"""Gains: how much Dice a shown mask gains over an empty one, for every image in every cell of a grid."""

import numpy as np
from numba import njit

from nephoscope.masks.spans import AREA, FIRST, LAST, OVERLAP


@njit(cache=True, nogil=True)
def tabulate(spans, starts, truth_area, pixel_thresholds, min_areas):  # type: ignore[no-untyped-def]
    """Spans of N images and a grid (T thresholds, A areas, ascending) → gains: N×(T·A)."""
    image_count, threshold_count = len(truth_area), len(pixel_thresholds)
    shape = (threshold_count + 1, len(min_areas))
    gains = np.empty((image_count, threshold_count * shape[1]))
    areas, overlaps = np.empty(shape, np.int32), np.empty(shape, np.int32)
    # reached[level]: the number of thresholds in the grid that are at most this level
    reached = np.searchsorted(pixel_thresholds, np.arange(256), side="right")
    for image in range(image_count):
        areas[:], overlaps[:] = 0, 0
        for index in range(starts[image], starts[image + 1]):
            begin, end = reached[spans[index, FIRST] - 1], reached[spans[index, LAST]]
            area = np.searchsorted(min_areas, spans[index, AREA], side="right") - 1
            if begin < end and area >= 0:
                # A difference array: the component is added where its span begins and removed behind its end.
                areas[begin, area] += spans[index, AREA]
                areas[end, area] -= spans[index, AREA]
                overlaps[begin, area] += spans[index, OVERLAP]
                overlaps[end, area] -= spans[index, OVERLAP]
        _accumulate(areas)
        _accumulate(overlaps)
        _fill_gains(areas.ravel(), overlaps.ravel(), truth_area[image], gains[image])
    return gains


@njit(cache=True, nogil=True)
def gains_of_cell(spans, starts, truth_area, pixel_threshold, min_area):  # type: ignore[no-untyped-def]
    """One cell of `tabulate`: N gains. A hundred times as fast as a grid."""
    gains = np.empty((len(truth_area), 1))
    areas, overlaps = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for image in range(len(truth_area)):
        areas[0], overlaps[0] = 0, 0
        for index in range(starts[image], starts[image + 1]):
            # No branch: the processor cannot predict which spans count.
            exists = (spans[index, FIRST] <= pixel_threshold) & (spans[index, LAST] >= pixel_threshold)
            kept = exists & (spans[index, AREA] >= min_area)
            areas[0] += kept * spans[index, AREA]
            overlaps[0] += kept * spans[index, OVERLAP]
        _fill_gains(areas, overlaps, truth_area[image], gains[image])
    return gains[:, 0]


@njit(cache=True, nogil=True)
def _accumulate(table):  # type: ignore[no-untyped-def]
    """Sum forwards over thresholds, then backwards over areas: a large component passes every smaller minimum."""
    thresholds, areas = table.shape
    for threshold in range(1, thresholds):
        for area in range(areas):
            table[threshold, area] += table[threshold - 1, area]
    for threshold in range(thresholds):
        for area in range(areas - 2, -1, -1):
            table[threshold, area] += table[threshold, area + 1]


@njit(cache=True, nogil=True)
def _fill_gains(areas, overlaps, truth_area, gains):  # type: ignore[no-untyped-def]
    for cell in range(len(gains)):
        total = areas[cell] + truth_area
        dice = 2.0 * overlaps[cell] / total if total > 0 else 1.0
        gains[cell] = dice - (1.0 if truth_area == 0 else 0.0)
