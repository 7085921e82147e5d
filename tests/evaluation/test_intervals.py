import numpy as np
import pandas as pd
import pytest

from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap, compare_runs

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
