from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from nephoscope.evaluation.labelled import LabelledImage
from nephoscope.evaluation.precision_recall import pixel_curves, presence_curve, presence_curves


class Pixels(NamedTuple):
    images: list[LabelledImage]
    truth: np.ndarray
    levels: np.ndarray


def pixels(seed: int) -> Pixels:
    """Two images of one class, and truth and levels of their visible pixels in the form of scikit-learn."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (2, 1, 6, 8)).astype(np.uint8)
    truth, visible = rng.random((2, 1, 6, 8)) > 0.6, rng.random((2, 6, 8)) > 0.2
    truth[0, 0, 0, 0] = visible[0, 0, 0] = True
    images = [LabelledImage(str(index), levels[index], visible[index], truth[index]) for index in range(2)]
    return Pixels(images, truth[:, 0][visible], levels[:, 0][visible])


@given(st.integers(0, 2**16))
def test_pixel_curves_equal_those_of_scikit_learn(seed: int) -> None:
    images, truth, levels = pixels(seed)
    (curve,) = pixel_curves(images, 1)
    precision, recall, threshold = precision_recall_curve(truth, levels)
    assert curve.precision == pytest.approx(precision[:-1][::-1])
    assert curve.recall == pytest.approx(recall[:-1][::-1])
    assert curve.threshold == pytest.approx(threshold[::-1] / 255)
    assert curve.average_precision == pytest.approx(average_precision_score(truth, levels))


def test_presence_of_any_class_is_the_maximum() -> None:
    presence = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.4]])
    present = np.array([[True, False], [False, True], [False, False]])
    *_, any_class = presence_curves(presence, present)
    assert any_class.threshold.tolist() == [0.9, 0.8, 0.4]
    assert any_class.average_precision == 1


def test_a_class_that_is_never_present_has_no_curve() -> None:
    curve = presence_curve(np.array([0.2, 0.7]), np.array([False, False]))
    assert np.isnan(curve.average_precision)
    assert curve.table("a").empty
