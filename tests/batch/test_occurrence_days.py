"""Means and intervals over days: against numpy, scipy, and simulations of coverage."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from nephoscope.batch.occurrence.days import NORMAL, Pool, Summary, Sums, wilson

Floats = npt.NDArray[np.float64]


def summarise(days: Floats, valid: npt.NDArray[np.bool_] | None = None) -> tuple[Pool, Summary]:
    """Shares (days×cells) of one class."""
    pool, sums = Pool(1), Sums(1, (days.shape[1],))
    for number, shares in enumerate(days):
        sums.add(number, shares[None], np.ones(days.shape[1], bool) if valid is None else valid[number])
    return pool, pool.close(sums)


def test_means_and_deviations_are_those_of_the_valid_days() -> None:
    rng = np.random.default_rng(0)
    days, valid = rng.random((40, 7)), rng.random((40, 7)) > 0.4
    valid[:, 3] = False
    _, summary = summarise(days, valid)
    expected = np.where(valid, days, np.nan)
    assert summary.count.tolist() == valid.sum(0).tolist()
    assert np.isnan(summary.mean[0, 3])
    for cell in (0, 1, 2, 4, 5, 6):
        assert summary.mean[0, cell] == pytest.approx(np.nanmean(expected[:, cell]))
        assert summary.deviations[0, cell] == pytest.approx(np.nanvar(expected[:, cell]) * valid[:, cell].sum())


def test_unseen_cells_have_no_interval() -> None:
    pool, summary = summarise(np.full((5, 1), 0.5), np.zeros((5, 1), bool))
    low, high = pool.interval(summary)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_the_interval_of_yes_and_no_is_wilsons() -> None:
    """With many days, the quantile is the normal one."""
    count, mean = np.array([4000]), np.array([[0.1]])
    low, high = wilson(count, mean, count * mean * (1 - mean), np.ones((1, 1)), np.zeros((1, 1)))
    oracle = stats.binomtest(400, 4000).proportion_ci(0.95, method="wilson")
    assert (low.item(), high.item()) == pytest.approx((oracle.low, oracle.high), abs=1e-5)


def test_the_quantile_approaches_students() -> None:
    for days in (15, 30, 90):
        widened = NORMAL + (NORMAL**3 + NORMAL) / (4 * (days - 1))
        assert widened == pytest.approx(stats.t.ppf(0.975, days - 1), rel=0.01)


def test_the_correlation_of_following_days_is_pooled_and_nearly_unbiased() -> None:
    rng = np.random.default_rng(1)
    days = np.zeros((30, 3000))
    days[0] = rng.standard_normal(3000)
    for number in range(1, 30):
        days[number] = 0.6 * days[number - 1] + 0.8 * rng.standard_normal(3000)
    pool, _ = summarise(0.5 + days / 20)
    assert pool.correlation[0] == pytest.approx(0.6, abs=0.04)
    shuffled, _ = summarise(0.5 + rng.permuted(days, axis=0) / 20)
    assert shuffled.correlation[0] == pytest.approx(0, abs=0.02)


def test_days_with_a_gap_between_them_are_no_pair() -> None:
    sums = Sums(1, (1,))
    for day, seen in ((1, True), (2, False), (3, True), (4, True), (6, True)):
        sums.add(day, np.array([[0.5]]), np.array([seen]))
    assert sums.pairs.tolist() == [1]


def simulate(kind: str, day_count: int, mean: float, correlation: float) -> tuple[Floats, float]:
    """Days × 3000 cells of a process whose days are correlated, and its true mean."""
    rng = np.random.default_rng(7)
    hidden = np.empty((day_count, 3000))
    hidden[0] = rng.standard_normal(3000)
    for number in range(1, day_count):
        step = np.sqrt(1 - correlation**2) * rng.standard_normal(3000)
        hidden[number] = correlation * hidden[number - 1] + step
    uniform = stats.norm.cdf(hidden)
    if kind == "yes or no":
        return (uniform > 1 - mean).astype(float), mean
    if kind == "always some":
        return stats.beta.ppf(uniform, 2 * mean, 2 * (1 - mean)), mean
    rest = ((uniform - 1 + mean) / mean).clip(0, 1)
    return np.where(uniform > 1 - mean, stats.beta.ppf(rest, 2, 3), 0), 0.4 * mean


@pytest.mark.parametrize("kind", ["yes or no", "always some", "now and then"])
@pytest.mark.parametrize("day_count", [10, 28, 90])
@pytest.mark.parametrize("mean", [0.1, 0.5])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_intervals_hold_the_truth_in_95_of_100_cells(
    kind: str, day_count: int, mean: float, correlation: float
) -> None:
    days, truth = simulate(kind, day_count, mean, correlation)
    pool, summary = summarise(days)
    low, high = pool.interval(summary)
    covered = ((low <= truth) & (truth <= high)).mean()
    assert covered >= 0.925
    if day_count == 90:
        assert covered <= 0.975
    assert ((low <= summary.mean) & (summary.mean <= high)).all()
    assert low.min() >= 0
    assert high.max() <= 1


def test_cells_without_the_pattern_have_an_upper_end_that_falls_with_the_days() -> None:
    ends = []
    for day_count in (5, 30, 300):
        days = np.zeros((day_count, 2))
        days[::2, 1] = 1
        pool, summary = summarise(days)
        low, high = pool.interval(summary)
        assert low[0, 0] == 0
        ends.append(high[0, 0])
    assert 1 > ends[0] > ends[1] > ends[2] > 0
    assert ends[1] == pytest.approx(stats.binomtest(0, 30).proportion_ci(0.95, method="wilson").high, abs=0.03)
