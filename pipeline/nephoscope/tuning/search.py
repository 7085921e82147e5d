"""The exact search: for every cell of a grid the best presence threshold, all at once.

Pictures are sorted by presence, the most present first; a presence threshold is then a *cut*: how many of them are
shown. The Dice of all cuts are prefix sums of gains, so each costs one addition.
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
    """One search: which pictures count and how much, in which order they are shown, and which cuts are allowed."""

    presence: Floats
    """N"""
    weight: Floats
    """N: 0 for a picture that does not count"""
    order: npt.NDArray[np.int64]
    """pictures that count, the most present first"""
    cuts: Bools
    """len(order) + 1: is there a threshold that shows just the first so many"""
    allowed: Bools
    """the cuts that the goal allows"""
    thresholds: Floats
    """len(order) + 1: the presence threshold of a cut, as far from both neighbours as can be"""

    @classmethod
    def gated(cls, presence: Floats, weight: Floats, present: Bools, objective: Constraint | None = None) -> Self:
        """Every presence threshold is tried, or those that the goal allows; equal presences stay together."""
        order = np.argsort(-presence, kind="stable")
        order = order[weight[order] > 0]
        descending = presence[order]
        cuts = np.concatenate(([True], descending[1:] < descending[:-1], [True]))
        allowed = objective.allow(cuts, weight[order], present[order]) if objective else cuts
        return cls(presence, weight, order, cuts, allowed, _between(descending))

    @classmethod
    def open(cls, weight: Floats) -> Self:
        """No gate: every picture is shown."""
        order = np.flatnonzero(weight)
        last = np.arange(len(order) + 1) == len(order)
        return cls(np.zeros(len(weight)), weight, order, last, last, np.where(last, 0.0, NEVER))

    def nearest_allowed(self, threshold: float) -> float:
        """Where a goal binds, the threshold of the nearest cut that it allows."""
        if self.allowed is self.cuts:
            return threshold
        thresholds = self.thresholds[self.allowed]
        return float(thresholds[np.abs(np.minimum(thresholds, 1) - threshold).argmin()])


def _between(descending: Floats) -> Floats:
    """Presences → the threshold that lets just the first k pass, k from 0 to all."""
    middle = (descending[:-1] + descending[1:]) / 2
    # Two neighbours can be so close that the middle rounds to the lower one, which must not pass.
    inner = np.where(middle > descending[1:], middle, descending[:-1])
    return np.concatenate(([NEVER], inner, [0.0]))


@njit(cache=True, nogil=True)
def find_cuts(gains, order, weight, allowed):  # type: ignore[no-untyped-def]
    """Gains (N×cells) → per cell the best allowed cut's weighted sum of gains, and the cut; of equals the smallest."""
    cells = gains.shape[1]
    total, best, cut = np.zeros(cells), np.full(cells, -np.inf), np.zeros(cells, np.int64)
    if allowed[0]:
        best[:] = 0.0
    for place in range(len(order)):
        picture = order[place]
        for cell in range(cells):
            total[cell] += weight[picture] * gains[picture, cell]
        if allowed[place + 1]:
            for cell in range(cells):
                better = total[cell] > best[cell]
                best[cell] = total[cell] if better else best[cell]
                cut[cell] = place + 1 if better else cut[cell]
    return best, cut


@njit(cache=True, nogil=True)
def spread(gains, order, weight, passing, cut, reference):  # type: ignore[no-untyped-def]
    """Per cell the weighted sum over pictures of its squared difference to what a reference rule gains (N) on them.

    A cell gains on pictures before its cut that pass the core.
    """
    cells = gains.shape[1]
    squares = np.zeros(cells)
    for place in range(len(order)):
        picture = order[place]
        for cell in range(cells):
            gain = gains[picture, cell] if place < cut[cell] and passing[picture] else 0.0
            squares[cell] += weight[picture] * (gain - reference[picture]) ** 2
    return squares
