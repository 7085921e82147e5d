"""Connected components of masks: label, keep, filter. Components are 8-connected."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.masks.rle import Mask, find_edges


@njit(cache=True, nogil=True)
def find_root(parent, member):  # type: ignore[no-untyped-def]
    """The root of a member in an array of parents, where a root is its own parent. Shortens the path (halving)."""
    while parent[member] != member:
        parent[member] = parent[parent[member]]
        member = parent[member]
    return member


@dataclass(frozen=True)
class Components:
    labels: npt.NDArray[np.int32]
    """H×W; 0 is background, k is component k."""
    areas: npt.NDArray[np.int64]
    """areas[k - 1] is the area of component k, in pixels."""


def label_components(mask: Mask) -> Components:
    """Mask (H×W) → its components, and their areas in pixels.

    >>> label_components(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], bool)).areas
    array([2, 1])
    """
    # Faster than connectedComponentsWithStats, which also computes boxes and centroids.
    count, image = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    labels = np.asarray(image, np.int32)
    return Components(labels, np.bincount(labels.ravel(), minlength=count)[1:])


def keep_components(components: Components, kept: npt.NDArray[np.bool_]) -> Mask:
    """The mask (H×W) of all components k with kept[k - 1]."""
    return np.concatenate(([False], kept))[components.labels]


def filter_components(mask: Mask, min_area: int) -> Mask:
    """Mask (H×W) → the mask of all components with at least this area, in pixels.

    The same as label_components and keep_components, but faster: a component is a set of runs, not a labelled image.

    >>> filter_components(np.array([[1, 0, 1, 1]], bool), 2).astype(int)
    array([[0, 0, 1, 1]])
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8).ravel()
    return np.asarray(_filter(pixels, mask.shape[1], min_area).view(bool).reshape(mask.shape))


@njit(cache=True, nogil=True)
def _filter(pixels, width, min_area):  # type: ignore[no-untyped-def]
    starts, ends = _runs_of_rows(find_edges(pixels), width)
    parent, areas = np.arange(len(starts)), ends - starts
    above = 0  # first run of the row above that may touch this run
    for run in range(len(starts)):
        row = starts[run] // width
        # The positions above the run, and one more on each side for corners, but within the row.
        first = max(starts[run] - width - 1, (row - 1) * width)
        last = min(ends[run] - width, row * width - 1)
        while ends[above] <= first:
            above += 1
        other = above
        while starts[other] <= last:
            join_roots(find_root(parent, other), find_root(parent, run), parent, areas)
            other += 1
    kept = np.zeros(len(pixels), np.uint8)
    for run in range(len(starts)):
        if areas[find_root(parent, run)] >= min_area:
            kept[starts[run] : ends[run]] = 1
    return kept


@njit(cache=True, nogil=True)
def _runs_of_rows(edges, width):  # type: ignore[no-untyped-def]
    """Edges along the rows → starts and ends of runs. A run that continues in the next row is cut in two."""
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
def join_roots(first, second, parent, areas):  # type: ignore[no-untyped-def]
    """Make two roots one. The larger area stays the root, and gets the sum of both."""
    if first == second:
        return
    if areas[first] < areas[second]:
        first, second = second, first
    parent[second] = first
    areas[first] += areas[second]
