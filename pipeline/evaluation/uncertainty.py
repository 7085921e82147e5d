"""How sure a mean is: bootstrap intervals over pictures, because the classes of one picture are not independent."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Is B better than A, on the same pictures?"""

    difference: Interval
    """B - A"""
    better: float
    """share of the resamples in which B is ahead; equals count half"""


@dataclass(frozen=True)
class Bootstrap:
    """The same resamples serve every figure of a run, so that figures can be compared pair by pair."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def interval(self, scores: npt.NDArray[np.floating]) -> Interval:
        """Scores of pictures (N, or N×C: mean over both) → their mean and its percentile interval."""
        per_picture = _per_picture(scores)
        low, high = self.quantiles(self.weights(len(per_picture)) @ per_picture)
        return Interval(float(per_picture.mean()), float(low), float(high))

    def compare(self, a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> Comparison:
        """Scores of the same pictures by A and by B (N or N×C each) → how much better B is, picture by picture."""
        if a.shape != b.shape:
            raise ValueError(f"A has scores of shape {a.shape}, B of {b.shape}; a paired comparison needs the same")
        difference = _per_picture(b) - _per_picture(a)
        means = self.weights(len(difference)) @ difference
        return Comparison(self.interval(difference), float((means > 0).mean() + (means == 0).mean() / 2))

    def quantiles(self, resampled: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Figures of the resamples (R×…) → the two ends of their interval: 2×…"""
        tail = (1 - self.confidence) / 2
        return np.asarray(np.quantile(resampled, [tail, 1 - tail], axis=0), np.float64)

    def weights(self, count: int) -> npt.NDArray[np.float64]:
        """resamples × count: how much each picture weighs in each resample."""
        return _draw_weights(self.resamples, count, self.seed)


@lru_cache(maxsize=4)
def _draw_weights(resamples: int, count: int, seed: int) -> npt.NDArray[np.float64]:
    """Drawn once, for a run asks for the same resamples with every figure."""
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples) / count
    drawn.setflags(write=False)
    return drawn


def _per_picture(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return scores if scores.ndim == 1 else scores.mean(axis=1)
