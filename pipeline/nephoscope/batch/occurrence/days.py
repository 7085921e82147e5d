"""Days, not pixels, are the independent cases: sums over days, their means, and intervals of 95 %. Arrays only.

The interval is Wilson's, for shares between 0 and 1, with three changes:

- A day's share may be any number from 0 to 1, so its variance is smaller than that of yes or no. The ratio of the two
  is the number of yes-or-no days that a day is worth. In cells with few days, and in those where nothing occurred, the
  ratio of the whole pattern counts more. For shares of 0 and 1 the ratio is 1, and the interval is Wilson's own.
- Following days resemble each other. The correlation of a pattern from one day to the next, pooled over cells and
  periods, reduces the number of days as in an autoregressive process.
- The normal quantile is widened towards Student's for few days.

`tests/batch/test_occurrence_days.py` measures the coverage by simulation.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
NORMAL = 1.959964
"""Two-sided quantile of 95 %."""
SHARED_DAYS = 10
"""Weight, in days, of the pattern's own ratio of variances against that of a cell."""
LARGEST_CORRELATION = 0.9
FEW_DAYS = 8
"""Below this mean number of days, the bias of the correlation is not corrected, because it is not known well."""
NEVER = -(10**9)


@dataclass
class Sums:
    """Running sums over the days of one period. Arrays are C×cells, or just cells (any shape)."""

    class_count: int
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        full = (self.class_count, *self.shape)
        self.count, self.last_day = np.zeros(self.shape, np.int64), np.full(self.shape, NEVER)
        self.pairs = np.zeros(self.shape, np.int64)
        self.total, self.squares = np.zeros(full), np.zeros(full)
        self.products, self.neighbours, self.last = np.zeros(full), np.zeros(full), np.zeros(full)

    def add(self, day: int, values: Floats, valid: npt.NDArray[np.bool_]) -> None:
        """A day (its number), the shares (C×cells), and the cells in which the day counts."""
        values = np.where(valid, values, 0)
        follows = valid & (self.last_day == day - 1)
        self.count += valid
        self.total += values
        self.squares += values**2
        self.pairs += follows
        self.products += np.where(follows, values * self.last, 0)
        self.neighbours += np.where(follows, values + self.last, 0)
        self.last = np.where(valid, values, self.last)
        self.last_day = np.where(valid, day, self.last_day)


@dataclass
class Summary:
    """One period: what remains of its sums."""

    count: npt.NDArray[np.int64]
    """cells: valid days."""
    mean: Floats
    """C×cells, NaN without a valid day."""
    deviations: Floats
    """C×cells: sum of squared deviations from the mean."""


@dataclass
class Pool:
    """What a pattern has in common over all cells and periods; arrays have one number per class."""

    class_count: int
    day_counts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.covariance, self.deviations, self.variance, self.largest = np.zeros((4, self.class_count))
        self.pair_count = self.day_count = 0

    def close(self, sums: Sums) -> Summary:
        """End a period: keep its summary, and add its sums to those of all periods."""
        count = np.maximum(sums.count, 1)
        mean = sums.total / count
        deviations = np.clip(sums.squares - count * mean**2, 0, None)
        several = sums.count > 1
        if several.any():
            lagged = sums.products - mean * sums.neighbours + sums.pairs * mean**2
            self.covariance += lagged[:, several].sum(1)
            self.deviations += deviations[:, several].sum(1)
            self.variance += (deviations * count / np.maximum(count - 1, 1))[:, several].sum(1)
            self.largest += (count * mean * (1 - mean))[:, several].sum(1)
            self.pair_count += int(sums.pairs[several].sum())
            self.day_count += int(sums.count[several].sum())
            self.day_counts.append(float(sums.count[several].mean()))
        return Summary(sums.count, np.where(sums.count > 0, mean, np.nan), deviations)

    @property
    def ratio(self) -> Floats:
        """C: variance against that of yes or no with the same mean; 1 where nothing is known."""
        known = self.largest > 0
        return np.where(known, self.variance / np.where(known, self.largest, 1), 1).clip(1e-6, 1)

    @property
    def correlation(self) -> Floats:
        """C: of one day with the next. Not below 0, so that it never makes an interval narrower."""
        if not self.pair_count or not self.deviations.any():
            return np.zeros(self.class_count)
        variance = self.deviations / self.day_count
        raw = self.covariance / self.pair_count / np.where(variance > 0, variance, 1)
        days = float(np.mean(self.day_counts))
        if days > FEW_DAYS:  # deviations from the mean of the same few days are correlated negatively
            raw = (raw + 1 / days) / (1 - 3 / days)
        return np.asarray(raw.clip(0, LARGEST_CORRELATION))

    def interval(self, summary: Summary) -> tuple[Floats, Floats]:
        """Both ends, C×cells; NaN without a valid day."""
        axes = (slice(None), *(None for _ in summary.count.shape))
        ratio, correlation = self.ratio[axes], self.correlation[axes]
        return wilson(summary.count, summary.mean, summary.deviations, ratio, correlation)


def wilson(
    count: npt.NDArray[np.int64], mean: Floats, deviations: Floats, pooled_ratio: Floats, correlation: Floats
) -> tuple[Floats, Floats]:
    """The interval that the docstring of this module describes. Arrays broadcast against each other."""
    days = np.maximum(count, 1).astype(float)
    inflation = _inflation(days, correlation)
    largest = mean * (1 - mean)
    occurred = largest > 0
    variance = deviations / np.maximum(days - inflation, 0.5)
    ratio = np.where(occurred, variance / np.where(occurred, largest, 1), pooled_ratio)
    ratio = (days * ratio + SHARED_DAYS * pooled_ratio) / (days + SHARED_DAYS)
    effective = days / inflation
    cases = effective / ratio.clip(1e-6, 1)
    quantile = NORMAL + (NORMAL**3 + NORMAL) / (4 * np.maximum(effective - 1, 1))
    centre = mean + quantile**2 / (2 * cases)
    half = quantile * np.sqrt(largest / cases + quantile**2 / (4 * cases**2))
    scale = 1 + quantile**2 / cases
    # Rounding may leave the mean outside by 1e-17.
    low, high = np.minimum((centre - half) / scale, mean), np.maximum((centre + half) / scale, mean)
    return low.clip(0, 1), high.clip(0, 1)


def _inflation(days: Floats, correlation: Floats) -> Floats:
    """How many times larger the variance of a mean is than that of independent days (first-order autoregression)."""
    rest = 1 - correlation
    growth = (1 + correlation) / rest - 2 * correlation * (1 - correlation**days) / (days * rest**2)
    return np.asarray(np.maximum(growth, 1))
