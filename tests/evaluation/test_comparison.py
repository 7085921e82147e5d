import numpy as np
import pandas as pd
import pytest

from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap, compare_runs

BOOTSTRAP = Bootstrap(resamples=400)


def scores(dices: np.ndarray, truth_area: int = 5) -> pd.DataFrame:
    """N×2 → the table of a run's judgements."""
    keys = [(f"{index}.jpg", name) for index in range(len(dices)) for name in ("a", "b")]
    table = pd.DataFrame(keys, columns=["image_id", "class_name"])
    return table.assign(truth_area=truth_area, dice=dices.ravel())


def test_pairs_see_what_two_intervals_would_not() -> None:
    rng = np.random.default_rng(0)
    before = rng.random((60, 2))
    after = before + 0.02 + 0.01 * rng.normal(size=(60, 2))
    table = compare_runs(scores(before), scores(after), BOOTSTRAP).set_index("class_name")
    assert table.index.tolist() == ["mean", "a", "b"]
    assert table.loc["mean", "difference"] == pytest.approx((after - before).mean())
    assert table.loc["mean", "low"] > 0
    assert table.loc["mean", "better"] == 1
    alone = BOOTSTRAP.interval(before), BOOTSTRAP.interval(after)
    assert alone[0].high > alone[1].low


def test_a_run_is_no_better_than_itself() -> None:
    same = scores(np.random.default_rng(0).random((9, 2)))
    table = compare_runs(same, same.sample(frac=1, random_state=0), BOOTSTRAP)
    assert table[["difference", "low", "high"]].to_numpy() == pytest.approx(0)
    assert table["better"].tolist() == [0.5, 0.5, 0.5]


def test_other_pictures_cannot_be_compared() -> None:
    dices = np.ones((6, 2))
    with pytest.raises(UserError, match="judged on 4 pictures, this one on 6; 4 are in both"):
        compare_runs(scores(dices[:4]), scores(dices), BOOTSTRAP)


def test_another_truth_cannot_be_compared() -> None:
    dices = np.ones((6, 2))
    with pytest.raises(UserError, match="different truths"):
        compare_runs(scores(dices, truth_area=4), scores(dices), BOOTSTRAP)


def test_scores_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"A has scores of shape \(3,\), B of \(4,\)"):
        BOOTSTRAP.compare(np.zeros(3), np.zeros(4))
