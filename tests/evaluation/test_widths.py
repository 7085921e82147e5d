"""Intervals have the width that their confidence promises."""

import numpy as np
import pytest
from scipy.stats import norm

from nephoscope.evaluation.intervals import Bootstrap


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_the_interval_of_a_mean_has_the_width_of_theory(confidence: float) -> None:
    scores = np.random.default_rng(0).random(500)
    interval = Bootstrap(resamples=4000, confidence=confidence).interval(scores)
    expected = 2 * norm.ppf((1 + confidence) / 2) * scores.std() / np.sqrt(len(scores))
    assert interval.high - interval.low == pytest.approx(expected, rel=0.06)


def test_classes_that_agree_do_not_narrow_an_interval() -> None:
    """Four equal columns are one measurement per image, not four."""
    scores = np.random.default_rng(0).random(60)
    once, repeated = (Bootstrap(500).interval(values) for values in (scores, np.repeat(scores[:, None], 4, axis=1)))
    assert (repeated.mean, repeated.low, repeated.high) == pytest.approx((once.mean, once.low, once.high))
