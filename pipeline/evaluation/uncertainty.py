"""How sure a mean is: bootstrap intervals over pictures, because the classes of one picture are not independent."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """The same resamples serve every figure of a run, so that figures can be compared pair by pair."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def interval(self, scores: npt.NDArray[np.floating]) -> Interval:
        """Scores of pictures (N, or N×C: mean over both) → their mean and its percentile interval."""
        per_picture = scores if scores.ndim == 1 else scores.mean(axis=1)
        means = self._weights(len(per_picture)) @ per_picture
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(means, [tail, 1 - tail])
        return Interval(float(per_picture.mean()), float(low), float(high))

    def _weights(self, count: int) -> npt.NDArray[np.float64]:
        """resamples × count: how much each picture weighs in each resample."""
        rng = np.random.default_rng(self.seed)
        drawn: npt.NDArray[np.int64] = rng.multinomial(count, np.full(count, 1 / count), size=self.resamples)
        return drawn / count
