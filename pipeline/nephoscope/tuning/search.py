"""The exact search: the best presence threshold for every cell of a grid, all at once.

Images are sorted by presence, highest first. A presence threshold is then a *cut*: the number of images at the front
whose masks are shown. The Dice of all cuts are prefix sums of gains, so each cut costs one addition.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from numba import njit

from nephoscope.rules.rules import NEVER
from nephoscope.tuning.constraints import Constraint

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
    """One search for one class: the weights and the order of the images, and the cuts that are allowed."""

    presence: Floats
    """N"""
    weight: Floats
    """N: 0 for an image that does not count"""
    order: npt.NDArray[np.int64]
    """Images with a weight, highest presence first"""
    cuts: Bools
    """len(order) + 1: True if a presence threshold exists for this cut"""
    allowed: Bools
    """len(order) + 1: the cuts that the constraint allows"""
    thresholds: Floats
    """len(order) + 1: the presence threshold of every cut, midway between its neighbours"""

    @classmethod
    def gated(cls, presence: Floats, weight: Floats, present: Bools, constraint: Constraint | None = None) -> Self:
        """Try every presence threshold that the constraint allows. Equal presences stay together."""
        order = np.argsort(-presence, kind="stable")
        order = order[weight[order] > 0]
        descending = presence[order]
        cuts = np.concatenate(([True], descending[1:] < descending[:-1], [True]))
        allowed = constraint.allow(cuts, weight[order], present[order]) if constraint else cuts
        return cls(presence, weight, order, cuts, allowed, _thresholds_between(descending))

    @classmethod
    def open(cls, weight: Floats) -> Self:
        """No presence threshold: the mask of every image is shown."""
        order = np.flatnonzero(weight)
        last = np.arange(len(order) + 1) == len(order)
        return cls(np.zeros(len(weight)), weight, order, last, last, np.where(last, 0.0, NEVER))

    def nearest_allowed(self, threshold: float) -> float:
        """Under a constraint, the threshold of the nearest allowed cut; otherwise the threshold itself."""
        if self.allowed is self.cuts:
            return threshold
        thresholds = self.thresholds[self.allowed]
        return float(thresholds[np.abs(np.minimum(thresholds, 1) - threshold).argmin()])


def _thresholds_between(descending: Floats) -> Floats:
    """Presences in descending order → the thresholds that only the first k reach, for k from 0 to all."""
    middle = (descending[:-1] + descending[1:]) / 2
    # Two neighbours can be so close that the middle rounds down to the lower one, which must stay below.
    inner = np.where(middle > descending[1:], middle, descending[:-1])
    return np.concatenate(([NEVER], inner, [0.0]))


@njit(cache=True, nogil=True)
def find_cuts(gains, order, weight, allowed):  # type: ignore[no-untyped-def]
    """Gains (N×cells) → per cell the largest weighted sum of gains over allowed cuts, and the smallest such cut."""
    cells = gains.shape[1]
    total, best, cut = np.zeros(cells), np.full(cells, -np.inf), np.zeros(cells, np.int64)
    if allowed[0]:
        best[:] = 0.0
    for place in range(len(order)):
        image = order[place]
        for cell in range(cells):
            total[cell] += weight[image] * gains[image, cell]
        if allowed[place + 1]:
            for cell in range(cells):
                better = total[cell] > best[cell]
                best[cell] = total[cell] if better else best[cell]
                cut[cell] = place + 1 if better else cut[cell]
    return best, cut


@njit(cache=True, nogil=True)
def sum_squared_differences(gains, order, weight, cut, reference):  # type: ignore[no-untyped-def]
    """Per cell: the weighted sum of squared differences between its gains (at its cut) and a reference (N)."""
    cells = gains.shape[1]
    squares = np.zeros(cells)
    for place in range(len(order)):
        image = order[place]
        for cell in range(cells):
            gain = gains[image, cell] if place < cut[cell] else 0.0
            squares[cell] += weight[image] * (gain - reference[image]) ** 2
    return squares
