"""Every source of presence has its own calibration; probabilities of users become the nearest level."""

import numpy as np
import pytest

from nephoscope.errors import UserError
from nephoscope.rules.arrays import levels_of
from nephoscope.rules.presence import RawPresences, presences
from nephoscope.rules.rules import Calibration
from tests.builders.example_rules import rules


def sigmoid(logit: float) -> float:
    return 1 / (1 + np.exp(-logit))


def test_each_source_is_calibrated_by_its_own_fit() -> None:
    """At a score of one half the logit is 0, so that a calibrated score is the sigmoid of the intercept."""
    raw = RawPresences(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]))
    of_classifier = (Calibration(intercept=1.0), Calibration(intercept=-2.0))
    of_segmenter = (Calibration(intercept=3.0), Calibration(intercept=0.5))
    fused = presences(raw, rules(
        classifier_weight=0.25, classifier_calibrations=of_classifier, top_fraction_calibrations=of_segmenter
    ))  # fmt: skip
    expected = [0.25 * sigmoid(1) + 0.75 * sigmoid(3), 0.25 * sigmoid(-2) + 0.75 * sigmoid(0.5)]
    assert fused[0] == pytest.approx(expected)


def test_probabilities_become_the_nearest_level() -> None:
    maps = np.array([[[[0.0, 0.0019, 0.0021, 0.4999, 0.998, 0.9981, 1.0]]]])
    assert levels_of(maps, 0).tolist() == [[[0, 0, 1, 127, 254, 255, 255]]]


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan])
def test_values_that_are_no_probabilities_are_refused(value: float) -> None:
    with pytest.raises(UserError, match="expected 0 to 1"):
        levels_of(np.full((1, 1, 2, 2), value), 0)
