"""Masks, presence and confidence of a result follow from the numbers that belong to them."""

import numpy as np
import pytest

from nephoscope.evaluation.store import Prediction
from nephoscope.inference.result import decide_results
from nephoscope.rules.rules import Calibration
from tests.builders.example_rules import rules


def test_the_calibrated_probability_changes_no_mask() -> None:
    """Rules compare the fused presence with their threshold; the last calibration is only told."""
    levels, visible = np.full((2, 4, 4), 200, np.uint8), np.ones((4, 4), bool)
    prediction = Prediction(levels, visible, np.array([0.6, 0.4]), np.array([0.5, 0.5]))
    told = (Calibration(intercept=-4.0), Calibration(intercept=4.0))
    (result,) = decide_results(["a"], [prediction], rules(classifier_weight=1, presence_calibrations=told))
    assert result.masks.any(axis=(1, 2)).tolist() == [True, False]
    assert result.present.tolist() == [True, False]
    first, second = (1 / (1 + np.exp(-logit)) for logit in (np.log(1.5) - 4, np.log(2 / 3) + 4))
    assert result.presence == pytest.approx([first, second])
    assert result.confidence == pytest.approx([first, 1 - second])


def test_probabilities_are_levels_in_255ths_and_unknown_where_nothing_was_seen() -> None:
    levels, visible = np.array([[[0, 51, 255]]] * 2, np.uint8), np.array([[True, True, False]])
    prediction = Prediction(levels, visible, np.array([0.6, 0.4]), np.array([0.5, 0.5]))
    (result,) = decide_results(["a"], [prediction], rules(output_shape=(1, 3)))
    assert result.probability[0, 0, :2] == pytest.approx([0, 0.2])
    assert np.isnan(result.probability[:, 0, 2]).all()
