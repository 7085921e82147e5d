"""How far the probabilities of an engine are from PyTorch's: in the mean, where they are strongest, and in decisions.

A mean over whole maps shows little of a sparse class: an engine that returns 0 for it would be almost right.
"""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nephoscope.settings.section import Precision

Array = npt.NDArray[np.floating]
STRONGEST_SHARE, STRONGEST_COUNT = 0.02, 8
"""Of the values of a class: the share that counts as strongest, and their smallest number."""
SMALLEST = 1e-5
"""Smaller probabilities count as this, because engines round them differently; so do those closer to 1."""
HALF, MARGIN = 0.5, 0.05
"""A decision counts where PyTorch's probability is not within the margin."""


class Difference(NamedTuple):
    """Of one network's probabilities from PyTorch's; of the last two figures, the largest of any class."""

    mean: float
    """Mean absolute difference of all probabilities."""
    strongest: float
    """Mean absolute difference of the log-odds where PyTorch's probabilities are highest."""
    decisions: float
    """Share that is decided differently at one half, of what either engine puts above it."""

    @classmethod
    def between(cls, output: Array, expected: Array) -> Self:
        """Two outputs (N×C or N×C×H×W) → their difference."""
        pairs = list(zip(_by_class(output), _by_class(expected), strict=True))
        return cls(
            float(np.abs(output - expected).mean()),
            max(_strongest_difference(*pair) for pair in pairs),
            max(_different_decisions(*pair) for pair in pairs),
        )

    def within(self, limits: Self) -> bool:
        """False for NaN, too."""
        return all(figure <= limit for figure, limit in zip(self, limits, strict=True))

    def __str__(self) -> str:
        return (
            f"{self.mean:.4f} in the mean, {self.strongest:.2f} in the log-odds of the strongest, "
            f"{100 * self.decisions:.0f} % of the decisions"
        )


LIMITS: dict[Precision, Difference] = {"fp32": Difference(0.002, 0.1, 0.02), "bf16": Difference(0.03, 0.5, 0.1)}
"""The largest allowed differences from PyTorch in fp32. With bf16 the probe differs by 0.02 in the mean; on real
clouds, pixels differ by 0.003 in the mean and 0.09 at most, and Dice by 0.0002."""


def _by_class(output: Array) -> Array:
    return np.moveaxis(output, 1, 0).reshape(output.shape[1], -1).astype(np.float64)


def _strongest_difference(output: Array, expected: Array) -> float:
    count = min(expected.size, max(STRONGEST_COUNT, round(STRONGEST_SHARE * expected.size)))
    strongest = np.argpartition(expected, -count)[-count:]
    return float(np.abs(_log_odds(output[strongest]) - _log_odds(expected[strongest])).mean())


def _log_odds(probabilities: Array) -> Array:
    clipped = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    return np.log(clipped / (1 - clipped))


def _different_decisions(output: Array, expected: Array) -> float:
    clear = np.abs(expected - HALF) > MARGIN
    decided, other = (expected >= HALF)[clear], (output >= HALF)[clear]
    either = np.count_nonzero(decided | other)
    return np.count_nonzero(decided != other) / either if either else 0.0
