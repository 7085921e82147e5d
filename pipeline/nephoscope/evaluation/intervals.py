"""Bootstrap intervals of means, and paired comparisons.

Images are resampled, because the classes of an image are dependent. Near duplicates are resampled together.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.errors import UserError


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """B against A on the same images."""

    difference: Interval
    """B - A"""
    better: float
    """Share of resamples in which B is ahead; ties count half"""


@dataclass(frozen=True)
class Bootstrap:
    """All intervals of a run use the same resamples, so they can be compared."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    groups: npt.NDArray[np.int64] | None = field(default=None, compare=False)
    """N: the group of near duplicates of every image, from 0; None: every image is its own group"""

    def interval(self, scores: npt.NDArray[np.floating]) -> Interval:
        """Scores of images (N, or N×C) → their mean and its percentile interval.

        >>> interval = Bootstrap().interval(np.array([0.0, 1.0] * 50))
        >>> interval.mean, round(interval.low, 1), round(interval.high, 1)
        (0.5, 0.4, 0.6)
        """
        per_image = _per_image(scores)
        low, high = self.quantiles(self.weights(len(per_image)) @ per_image)
        return Interval(float(per_image.mean()), float(low), float(high))

    def compare(self, a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> Comparison:
        """Scores of the same images by A and by B (N or N×C each) → the difference B - A, paired by image."""
        if a.shape != b.shape:
            raise ValueError(f"A has scores of shape {a.shape}, B of shape {b.shape}; expected the same shape")
        difference = _per_image(b) - _per_image(a)
        means = self.weights(len(difference)) @ difference
        return Comparison(self.interval(difference), float((means > 0).mean() + (means == 0).mean() / 2))

    def quantiles(self, resampled: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Values of R resamples (R×…) → both ends of their interval: 2×…"""
        tail = (1 - self.confidence) / 2
        return np.asarray(np.quantile(resampled, [tail, 1 - tail], axis=0), np.float64)

    def weights(self, count: int) -> npt.NDArray[np.float64]:
        """resamples×count: the weight of every image in every resample; a row sums to 1."""
        if self.groups is None:
            return _draw_weights(self.resamples, count, self.seed)
        if len(self.groups) != count:
            raise ValueError(f"{count} images, but groups of {len(self.groups)}")
        drawn = _draw_weights(self.resamples, int(self.groups.max()) + 1, self.seed)[:, self.groups]
        return np.asarray(drawn / drawn.sum(axis=1, keepdims=True), np.float64)


@lru_cache(maxsize=4)
def _draw_weights(resamples: int, count: int, seed: int) -> npt.NDArray[np.float64]:
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples) / count
    drawn.setflags(write=False)
    return drawn


def _per_image(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return scores if scores.ndim == 1 else scores.mean(axis=1)


Floats = np.ndarray[Any, np.dtype[np.float64]]
KEYS = ["image_id", "class_name"]


def compare_runs(earlier: pd.DataFrame, present: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Scores of two runs (image_id, class_name, truth_area, dice) → their difference, paired by image.

    Columns: class_name ("mean" first), earlier, present, difference, low, high, better (see `Comparison`). The groups
    of the bootstrap follow the images of `present`.
    """
    both = present.merge(earlier, on=KEYS, suffixes=("_present", "_earlier"), validate="one_to_one")
    if len(both) != max(len(earlier), len(present)):
        raise UserError(
            f"the earlier run was scored on {earlier['image_id'].nunique()} images, this run on "
            f"{present['image_id'].nunique()}; {both['image_id'].nunique()} images are in both. "
            "Runs can be compared only on the same holdout: use the same data, `prepare` settings and seed"
        )
    if (both["truth_area_earlier"] != both["truth_area_present"]).any():
        raise UserError(
            "the two runs were scored against different truths; run the earlier one again on the present data"
        )
    before, after = (_by_class(both, f"dice_{run}") for run in ("earlier", "present"))
    columns: dict[str, tuple[Floats, Floats]] = {"mean": (before.to_numpy(), after.to_numpy())}
    columns |= {str(name): (before[name].to_numpy(), after[name].to_numpy()) for name in before.columns}
    rows = []
    for name, dices in columns.items():
        compared = bootstrap.compare(*dices)
        rows.append((name, *(values.mean() for values in dices), *vars(compared.difference).values(), compared.better))
    return pd.DataFrame(rows, columns=["class_name", "earlier", "present", "difference", "low", "high", "better"])


def _by_class(scores: pd.DataFrame, column: str) -> pd.DataFrame:
    """Images × classes"""
    return scores.pivot_table(column, index="image_id", columns="class_name", sort=False)
