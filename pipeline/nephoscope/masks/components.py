"""Union-find over a flat array of parents, in which a root is its own parent. For compiled callers."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.masks.rle import Mask, find_edges


@njit(cache=True, nogil=True)
def find_root(parent, member):  # type: ignore[no-untyped-def]
    """Halves the way there as it goes."""
    while parent[member] != member:
        parent[member] = parent[parent[member]]
        member = parent[member]
    return member


@dataclass(frozen=True)
class Components:
    labels: npt.NDArray[np.int32]
    """H×W; 0 is background, component k carries k."""
    areas: npt.NDArray[np.int64]
    """areas[k - 1] is the area of component k."""


def label_components(mask: Mask) -> Components:
    """Mask (H×W) → its components.

    >>> label_components(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], bool)).areas
    array([2, 1])
    """
    # Counting afterwards is faster than connectedComponentsWithStats, which also wants boxes and centroids.
    count, found = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    labels = np.asarray(found, np.int32)
    return Components(labels, np.bincount(labels.ravel(), minlength=count)[1:])


def keep_components(components: Components, kept: npt.NDArray[np.bool_]) -> Mask:
    """The mask of those components for which kept[k - 1] is true."""
    return np.concatenate(([False], kept))[components.labels]


def filter_components(mask: Mask, levels: npt.NDArray[np.uint8], min_area: int, min_peak: int) -> Mask:
    """Mask and levels (H×W each) → the mask of those components whose area and strongest level suffice.

    As labelling and then keeping would have it, but without an image of labels: components are sets of runs.

    >>> filter_components(np.array([[1, 0, 1, 1]], bool), np.array([[9, 0, 5, 6]], np.uint8), 2, 1).astype(int)
    array([[0, 0, 1, 1]])
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8).ravel()
    kept = _filter(pixels, np.ascontiguousarray(levels).ravel(), mask.shape[1], min_area, min_peak)
    return np.asarray(kept.view(bool).reshape(mask.shape))


@njit(cache=True, nogil=True)
def _filter(pixels, levels, width, min_area, min_peak):  # type: ignore[no-untyped-def]
    starts, ends = _runs_of_rows(find_edges(pixels), width)
    parent, areas, peaks = np.arange(len(starts)), ends - starts, np.zeros(len(starts), np.uint8)
    above = 0  # the first run that may touch this one from the row above
    for run in range(len(starts)):
        row = starts[run] // width
        if min_peak > 0:
            peaks[run] = levels[starts[run] : ends[run]].max()
        # Positions in the row above, one further on either side for the corners, but never around its ends.
        first = max(starts[run] - width - 1, (row - 1) * width)
        last = min(ends[run] - width, row * width - 1)
        while ends[above] <= first:
            above += 1
        other = above
        while starts[other] <= last:
            _join(find_root(parent, other), find_root(parent, run), parent, areas, peaks)
            other += 1
    kept = np.zeros(len(pixels), np.uint8)
    for run in range(len(starts)):
        root = find_root(parent, run)
        if areas[root] >= min_area and peaks[root] >= min_peak:
            kept[starts[run] : ends[run]] = 1
    return kept


@njit(cache=True, nogil=True)
def _runs_of_rows(edges, width):  # type: ignore[no-untyped-def]
    """Edges along the rows → starts and ends of runs, those that go on in the next row cut in two."""
    count = 0
    for index in range(0, len(edges), 2):
        count += (edges[index + 1] - 1) // width - edges[index] // width + 1
    starts, ends, count = np.empty(count, np.int64), np.empty(count, np.int64), 0
    for index in range(0, len(edges), 2):
        start = edges[index]
        while start < edges[index + 1]:
            end = min(edges[index + 1], (start // width + 1) * width)
            starts[count], ends[count] = start, end
            start, count = end, count + 1
    return starts, ends


@njit(cache=True, nogil=True)
def _join(one, other, parent, areas, peaks):  # type: ignore[no-untyped-def]
    if one == other:
        return
    if areas[one] < areas[other]:
        one, other = other, one
    parent[other] = one
    areas[one] += areas[other]
    peaks[one] = max(peaks[one], peaks[other])
