"""Components of a mask that arrives in strips: as `filter_components` on the whole mask, which is never in memory."""

import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.masks.components import find_root, join_roots, keep_components, label_components
from nephoscope.masks.rle import Mask

NOTHING = -1
Numbers = npt.NDArray[np.int64]


class StripFilter:
    """Drops components below an area. First `add` all strips from top to bottom, then `filter` each of them.

    Only components that touch the border of their strip are remembered: a few kilobytes a strip.

    >>> small = StripFilter(3)
    >>> strips = np.array([[1, 0, 1]], bool), np.array([[1, 0, 0], [1, 0, 0]], bool)
    >>> for strip in strips: small.add(strip)
    >>> [small.filter(index, strip).astype(int).tolist() for index, strip in enumerate(strips)]
    [[[1, 0, 0]], [[1, 0, 0], [1, 0, 0]]]
    """

    def __init__(self, min_area: int, *, wraps: bool = False) -> None:
        self.min_area, self.wraps = min_area, wraps
        """`wraps`: the last column touches the first one, as on a map of the whole Earth."""
        self._parents, self._areas = np.empty(0, np.int64), np.empty(0, np.int64)
        self._strips: list[tuple[npt.NDArray[np.int32], int]] = []
        """Per strip: its components that touch a border, and the number of the first of them among all strips."""
        self._last_row: Numbers | None = None
        """Per column of the row above the next strip: the number of its component, or NOTHING."""

    def add(self, strip: Mask) -> None:
        """The next strip (h×W)."""
        if self.min_area <= 1:
            return
        components = label_components(strip)
        labels = components.labels
        first = len(self._parents)
        touching = self._touching(labels)
        numbers = np.full(len(components.areas) + 1, NOTHING, np.int64)
        numbers[touching] = first + np.arange(len(touching))
        self._parents = np.concatenate([self._parents, first + np.arange(len(touching))])
        self._areas = np.concatenate([self._areas, components.areas[touching - 1]])
        self._strips.append((touching, first))
        if self._last_row is not None:
            self._join(_neighbours(self._last_row, numbers[labels[0]], self.wraps))
        if self.wraps:
            self._join(_neighbours(numbers[labels[:, 0]], numbers[labels[:, -1]], False))
        self._last_row = numbers[labels[-1]]

    def filter(self, index: int, strip: Mask) -> Mask:
        """The same strip again → its pixels that belong to large components."""
        if self.min_area <= 1:
            return strip
        components = label_components(strip)
        kept = components.areas >= self.min_area
        touching, first = self._strips[index]
        roots = _roots(self._parents, np.arange(first, first + len(touching)))
        kept[touching - 1] = self._areas[roots] >= self.min_area
        return keep_components(components, kept)

    def _touching(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        borders = [labels[0], labels[-1], *([labels[:, 0], labels[:, -1]] if self.wraps else [])]
        touching = np.unique(np.concatenate(borders))
        return touching[touching > 0]

    def _join(self, pairs: Numbers) -> None:
        _join_pairs(pairs, self._parents, self._areas)


def _neighbours(line: Numbers, other: Numbers, wraps: bool) -> Numbers:
    """Components along two lines of pixels beside each other → pairs (n×2) that touch, also by a corner."""
    pairs = [(line, other), (line[1:], other[:-1]), (line[:-1], other[1:])]
    if wraps:
        pairs += [(line[:1], other[-1:]), (line[-1:], other[:1])]
    both = np.concatenate([np.stack(pair, axis=1) for pair in pairs])
    return np.unique(both[(both != NOTHING).all(axis=1)], axis=0)


@njit(cache=True, nogil=True)
def _join_pairs(pairs, parents, areas):  # type: ignore[no-untyped-def]
    for row in range(len(pairs)):
        join_roots(find_root(parents, pairs[row, 0]), find_root(parents, pairs[row, 1]), parents, areas)


@njit(cache=True, nogil=True)
def _roots(parents, numbers):  # type: ignore[no-untyped-def]
    roots = np.empty(len(numbers), np.int64)
    for index in range(len(numbers)):
        roots[index] = find_root(parents, numbers[index])
    return roots
