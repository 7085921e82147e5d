"""Gains: what showing a mask is worth in Dice over leaving it empty, for every picture in every cell of a grid.

A cell is a pixel threshold, a minimum area and a high threshold (0: none).
"""

import numpy as np
from numba import njit

from nephoscope.masks.spans import AREA, FIRST, LAST, OVERLAP, PEAK


@njit(cache=True, nogil=True)
def tabulate(spans, starts, truth_area, pixel_thresholds, min_areas, high_thresholds):  # type: ignore[no-untyped-def]
    """Spans of N pictures × a grid (T, A and S values, ascending) → gains: N×(T·A·S)."""
    pictures, thresholds = len(truth_area), len(pixel_thresholds)
    shape = (thresholds + 1, len(min_areas), len(high_thresholds))
    gains = np.empty((pictures, thresholds * shape[1] * shape[2]))
    areas, overlaps = np.empty(shape, np.int32), np.empty(shape, np.int32)
    # reached[level]: how many thresholds of the grid are at most this level
    reached = np.searchsorted(pixel_thresholds, np.arange(256), side="right")
    for picture in range(pictures):
        areas[:], overlaps[:] = 0, 0
        for index in range(starts[picture], starts[picture + 1]):
            begin, end = reached[spans[index, FIRST] - 1], reached[spans[index, LAST]]
            area = np.searchsorted(min_areas, spans[index, AREA], side="right") - 1
            seed = np.searchsorted(high_thresholds, spans[index, PEAK], side="right") - 1
            if begin < end and area >= 0 and seed >= 0:
                # A difference array: the component appears at the span's begin and is gone at its end.
                areas[begin, area, seed] += spans[index, AREA]
                areas[end, area, seed] -= spans[index, AREA]
                overlaps[begin, area, seed] += spans[index, OVERLAP]
                overlaps[end, area, seed] -= spans[index, OVERLAP]
        _sum_up(areas)
        _sum_up(overlaps)
        _gain(areas.ravel(), overlaps.ravel(), truth_area[picture], gains[picture])
    return gains


@njit(cache=True, nogil=True)
def gains_of_cell(spans, starts, truth_area, pixel_threshold, min_area, high_threshold):  # type: ignore[no-untyped-def]
    """One cell of `tabulate`, a hundred times as fast as a grid: N."""
    gains = np.empty((len(truth_area), 1))
    areas, overlaps = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for picture in range(len(truth_area)):
        areas[0], overlaps[0] = 0, 0
        for index in range(starts[picture], starts[picture + 1]):
            # Without a branch: which spans stand cannot be foreseen, and the processor would stumble over each.
            stands = (spans[index, FIRST] <= pixel_threshold) & (spans[index, LAST] >= pixel_threshold)
            kept = (spans[index, AREA] >= min_area) & (spans[index, PEAK] >= high_threshold)
            areas[0] += stands * kept * spans[index, AREA]
            overlaps[0] += stands * kept * spans[index, OVERLAP]
        _gain(areas, overlaps, truth_area[picture], gains[picture])
    return gains[:, 0]


@njit(cache=True, nogil=True)
def _sum_up(table):  # type: ignore[no-untyped-def]
    """Forwards over thresholds; backwards over areas and seeds, for what passes a high bar passes the lower ones."""
    thresholds, areas, seeds = table.shape
    for threshold in range(1, thresholds):
        for area in range(areas):
            for seed in range(seeds):
                table[threshold, area, seed] += table[threshold - 1, area, seed]
    for threshold in range(thresholds):
        for area in range(areas - 2, -1, -1):
            for seed in range(seeds):
                table[threshold, area, seed] += table[threshold, area + 1, seed]
        for area in range(areas):
            for seed in range(seeds - 2, -1, -1):
                table[threshold, area, seed] += table[threshold, area, seed + 1]


@njit(cache=True, nogil=True)
def _gain(areas, overlaps, truth_area, gains):  # type: ignore[no-untyped-def]
    for cell in range(len(gains)):
        total = areas[cell] + truth_area
        dice = 2.0 * overlaps[cell] / total if total > 0 else 1.0
        gains[cell] = dice - (1.0 if truth_area == 0 else 0.0)
