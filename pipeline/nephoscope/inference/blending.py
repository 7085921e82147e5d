"""Blending the levels of overlapping windows, a band of rows at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.earth.windows.plan import Plan
from nephoscope.evaluation.store import Prediction
from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Levels

UNSEEN_WEIGHT = np.float32(1e-20)
"""A pixel that a window did not see counts only where no window saw it."""
ROWS = 64
"""Rows that are finished at once, which bounds memory."""


class Strip(NamedTuple):
    """Finished rows of the output."""

    start: int
    levels: Levels
    """C×h×W"""
    visible: Mask
    """h×W"""


class Band:
    """The rows of the output to which windows are still added: as many as a window has.

    Memory grows with the width of a scene, which ends at 360°, but not with its height.
    """

    def __init__(self, class_count: int, plan: Plan) -> None:
        self._plan = plan
        self._start = 0
        shape = min(plan.rows.size, plan.rows.window), plan.columns.size
        self._sums = np.zeros((class_count, *shape), np.float32)
        self._weights, self._visible = np.zeros(shape, np.float32), np.zeros(shape, bool)
        self._tapers = plan.rows.taper, plan.columns.taper

    def add(self, row: int, column: int, prediction: Prediction) -> None:
        """Add the levels of a window, which ends within the band."""
        for inside, outside in self._plan.rows.pieces(row):
            band_rows = slice(outside.start - self._start, outside.stop - self._start)
            for across, columns in self._plan.columns.pieces(column):
                seen = prediction.visible[inside, across]
                weight = np.outer(self._tapers[0][inside], self._tapers[1][across]).astype(np.float32)
                weight[~seen] *= UNSEEN_WEIGHT
                for sums, levels in zip(self._sums, prediction.levels, strict=True):
                    sums[band_rows, columns] += weight * levels[inside, across]
                self._weights[band_rows, columns] += weight
                self._visible[band_rows, columns] |= seen

    def finish(self, stop: int) -> Iterator[Strip]:
        """The rows up to `stop`, to which no window will be added. The band moves down to there."""
        count = stop - self._start
        for begin in range(0, count, ROWS):
            rows = slice(begin, min(count, begin + ROWS))
            yield Strip(self._start + begin, self._blend(rows), self._visible[rows].copy())
        for plane in (*self._sums, self._weights, self._visible):
            plane[: len(plane) - count] = plane[count:]
            plane[len(plane) - count :] = 0
        self._start = stop

    def _blend(self, rows: slice) -> Levels:
        """Where a single window was added, its weights cancel: the levels are its own."""
        weights: npt.NDArray[np.float32] = self._weights[rows]
        blended = np.divide(self._sums[:, rows], weights, out=np.zeros_like(self._sums[:, rows]), where=weights > 0)
        return np.rint(blended).astype(np.uint8)
