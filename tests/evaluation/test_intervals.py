from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap, Interval, compare_runs

BOOTSTRAP = Bootstrap(resamples=400)


def test_intervals_contain_the_mean_and_narrow_with_more_images() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(4000)
    few, many = BOOTSTRAP.interval(scores[:40]), BOOTSTRAP.interval(scores)
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 5
    # The standard error of a mean of 4000 uniform numbers, times two to either side.
    assert many.high - many.low == pytest.approx(4 * np.sqrt(1 / 12 / 4000), rel=0.2)


def test_an_interval_is_reproducible() -> None:
    scores = np.random.default_rng(0).random((30, 4))
    assert BOOTSTRAP.interval(scores) == Bootstrap(resamples=400).interval(scores)
    assert BOOTSTRAP.interval(scores) != Bootstrap(resamples=400, seed=1).interval(scores)


def test_near_duplicates_are_resampled_together() -> None:
    """Every image three times brings no information: the interval stays as it was."""
    dices = np.random.default_rng(0).random((30, 2))
    repeated, groups = np.repeat(dices, 3, axis=0), np.repeat(np.arange(30), 3)
    once, grouped = BOOTSTRAP.interval(dices), Bootstrap(resamples=400, groups=groups).interval(repeated)
    assert (grouped.mean, grouped.low, grouped.high) == pytest.approx((once.mean, once.low, once.high))
    ignored = BOOTSTRAP.interval(repeated)
    assert ignored.high - ignored.low < 0.7 * (once.high - once.low)


def test_weights_of_groups_of_any_size_sum_to_one() -> None:
    weights = Bootstrap(resamples=50, groups=np.array([0, 0, 0, 1, 2])).weights(5)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert (weights[:, 0] == weights[:, 2]).all()


def ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def test_classes_of_an_image_are_resampled_together() -> None:
    """Eight identical classes bring no information; eight independent ones do."""
    rng = np.random.default_rng(0)
    dices = rng.random((30, 1))
    once, identical = BOOTSTRAP.interval(dices), BOOTSTRAP.interval(np.repeat(dices, 8, axis=1))
    independent = BOOTSTRAP.interval(rng.random((30, 8)))
    assert ends(identical) == pytest.approx(ends(once))
    assert independent.high - independent.low < 0.5 * (once.high - once.low)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_an_interval_is_that_of_scipy(confidence: float) -> None:
    dices = np.random.default_rng(0).beta(0.5, 0.5, (50, 4))
    theirs = percentile_bootstrap((dices.mean(axis=1),), np.mean, confidence)
    ours = Bootstrap(MANY, confidence).interval(dices)
    assert ends(ours) == pytest.approx((dices.mean(), *theirs.confidence_interval), abs=0.003)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_an_interval_of_groups_is_that_of_scipy(confidence: float) -> None:
    """Groups of 1 to 4 images: the mean over images is a ratio of two sums over groups."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 5, 40)
    groups = np.repeat(np.arange(40), sizes)
    dices = rng.beta(0.5, 0.5, 40)[groups] * rng.random(len(groups))
    theirs = percentile_bootstrap((np.bincount(groups, dices), sizes), mean_of_groups, confidence)
    ours = Bootstrap(MANY, confidence, groups=groups).interval(dices)
    assert ends(ours) == pytest.approx((dices.mean(), *theirs.confidence_interval), abs=0.003)


def test_a_comparison_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    before = rng.random((40, 3))
    after = before + rng.normal(0.02, 0.1, (40, 3))
    theirs = percentile_bootstrap(((after - before).mean(axis=1),), np.mean, 0.95)
    ours = Bootstrap(MANY).compare(before, after)
    assert (ours.difference.low, ours.difference.high) == pytest.approx(theirs.confidence_interval, abs=0.002)
    assert ours.better == pytest.approx((theirs.bootstrap_distribution > 0).mean(), abs=0.01)
    assert 0.8 < ours.better < 0.999


MANY = 20_000


def percentile_bootstrap(data: tuple[np.ndarray, ...], statistic: Callable[..., Any], confidence: float) -> Any:
    return stats.bootstrap(
        data,
        statistic,
        paired=len(data) > 1,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=MANY,
        method="percentile",
        rng=np.random.default_rng(1),
    )


def mean_of_groups(sums: np.ndarray, sizes: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(sums.sum(axis=axis) / sizes.sum(axis=axis))


@pytest.mark.parametrize(
    ("copies", "grouped", "lowest", "highest"), [(1, False, 0.86, 0.92), (3, True, 0.86, 0.92), (3, False, 0.5, 0.75)]
)
def test_nine_in_ten_intervals_cover_the_true_mean(copies: int, grouped: bool, lowest: float, highest: float) -> None:
    """40 images with Dice between 0 and 1, drawn 800 times. Copies that are not grouped promise too much."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), copies) if grouped else None
    bootstrap = Bootstrap(400, 0.9, groups=groups)
    intervals = [bootstrap.interval(np.repeat(rng.random(40), copies)) for _ in range(800)]
    covered = np.mean([interval.low <= 0.5 <= interval.high for interval in intervals])
    assert lowest < covered < highest


def scores(dices: np.ndarray, truth_area: int = 5) -> pd.DataFrame:
    """Dice (N×2) → the table of scores of a run."""
    keys = [(f"{index}.jpg", name) for index in range(len(dices)) for name in ("a", "b")]
    table = pd.DataFrame(keys, columns=["image_id", "class_name"])
    return table.assign(truth_area=truth_area, dice=dices.ravel())


def test_a_paired_comparison_detects_what_two_intervals_do_not() -> None:
    rng = np.random.default_rng(0)
    before = rng.random((60, 2))
    after = before + 0.02 + 0.01 * rng.normal(size=(60, 2))
    table = compare_runs(scores(before), scores(after), BOOTSTRAP).set_index("class_name")
    assert table.index.tolist() == ["mean", "a", "b"]
    assert table.loc["mean", "difference"] == pytest.approx((after - before).mean())
    assert table.loc["mean", "low"] > 0
    assert table.loc["mean", "better"] == 1
    assert BOOTSTRAP.interval(before).high > BOOTSTRAP.interval(after).low


def test_a_run_equals_itself() -> None:
    same = scores(np.random.default_rng(0).random((9, 2)))
    table = compare_runs(same, same.sample(frac=1, random_state=0), BOOTSTRAP)
    assert table[["difference", "low", "high"]].to_numpy() == pytest.approx(0)
    assert table["better"].tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("seed", [0, 1])
def test_runs_are_compared_by_group_in_any_order_of_the_earlier_run(seed: int) -> None:
    """Copies of three images in ten: the groups follow the present run."""
    rng = np.random.default_rng(seed)
    groups = np.array([0, 1, 0, 2, 0, 3, 4, 4, 5, 6])
    before, change = rng.random((10, 2)), rng.normal(size=(7, 2))[groups]
    present = scores(before + change)
    earlier = scores(before).sample(frac=1, random_state=seed)
    bootstrap = Bootstrap(200, groups=groups)
    table = compare_runs(earlier, present, bootstrap).set_index("class_name")
    expected = bootstrap.interval(change)
    assert table.loc["mean", ["difference", "low", "high"]].tolist() == pytest.approx(list(ends(expected)))
    assert table.loc["b", "earlier"] == pytest.approx(before[:, 1].mean())
    assert table.loc["b", "present"] == pytest.approx((before + change)[:, 1].mean())


def test_runs_on_different_images_cannot_be_compared() -> None:
    dices = np.ones((6, 2))
    with pytest.raises(UserError, match="scored on 4 images, this run on 6; 4 images are in both"):
        compare_runs(scores(dices[:4]), scores(dices), BOOTSTRAP)


def test_runs_with_different_truths_cannot_be_compared() -> None:
    dices = np.ones((6, 2))
    with pytest.raises(UserError, match="different truths"):
        compare_runs(scores(dices, truth_area=4), scores(dices), BOOTSTRAP)


def test_scores_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"A has scores of shape \(3,\), B of shape \(4,\)"):
        BOOTSTRAP.compare(np.zeros(3), np.zeros(4))
