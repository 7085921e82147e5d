"""How sure a mean is: bootstrap intervals over pictures, because the classes of one picture are not independent."""

from dataclasses import dataclass
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


Floats = np.ndarray[Any, np.dtype[np.float64]]
KEYS = ["image_id", "class_name"]


def compare_runs(earlier: pd.DataFrame, present: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Judgements of two runs (image_id, class_name, truth_area, dice) → class_name ("mean" first), earlier, present,
    difference, low, high, better: the share of resampled sets of pictures on which the present run is ahead."""
    both = earlier.merge(present, on=KEYS, suffixes=("_earlier", "_present"), validate="one_to_one")
    if len(both) != max(len(earlier), len(present)):
        raise UserError(
            f"the earlier run was judged on {earlier['image_id'].nunique()} pictures, this one on "
            f"{present['image_id'].nunique()}; {both['image_id'].nunique()} are in both. "
            "Only runs with the same holdout can be compared: keep the data, `prepare` and its seed as they were"
        )
    if (both["truth_area_earlier"] != both["truth_area_present"]).any():
        raise UserError("the two runs were judged against different truths; rerun the earlier one on the present data")
    before, after = (_by_class(both, f"dice_{run}") for run in ("earlier", "present"))
    columns: dict[str, tuple[Floats, Floats]] = {"mean": (before.to_numpy(), after.to_numpy())}
    columns |= {str(name): (before[name].to_numpy(), after[name].to_numpy()) for name in before.columns}
    rows = []
    for name, dices in columns.items():
        compared = bootstrap.compare(*dices)
        rows.append((name, *(one.mean() for one in dices), *vars(compared.difference).values(), compared.better))
    return pd.DataFrame(rows, columns=["class_name", "earlier", "present", "difference", "low", "high", "better"])


def _by_class(scores: pd.DataFrame, column: str) -> pd.DataFrame:
    """Pictures × classes"""
    return scores.pivot_table(column, index="image_id", columns="class_name", sort=False)
