"""Dice: 2|A∩B| / (|A| + |B|). Both masks empty: 1; one empty: 0."""

import numpy as np
import numpy.typing as npt

from nephoscope.masks.rle import Mask


def dice(truth: Mask, predicted: Mask) -> float:
    """Two masks of the same shape → their Dice.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    return float(dice_of_areas(np.sum(truth & predicted), np.sum(truth), np.sum(predicted)))


def dice_of_areas(
    overlap: npt.ArrayLike, truth_area: npt.ArrayLike, predicted_area: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """|A∩B|, |A| and |B| (arrays that broadcast) → Dice.

    >>> dice_of_areas([1, 0, 0], [2, 2, 0], [2, 0, 0])
    array([0.5, 0. , 1. ])
    """
    total = np.asarray(truth_area, np.float64) + np.asarray(predicted_area, np.float64)
    twice = 2 * np.asarray(overlap, np.float64)
    return np.divide(twice, total, out=np.ones(np.broadcast(twice, total).shape), where=total > 0)
