"""Calibrated scores are shares: of all pictures with a chance of 0.7 seven in ten show the class."""

import numpy as np
import pytest

from nephoscope.evaluation.calibration import fit_calibrations
from nephoscope.rules.presence import calibrate, decide_presence, logit
from nephoscope.rules.rules import Calibration
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune
from tests.builders.tuning_pictures import draw_pictures


def draw_scores(distortion: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N×1) that this distortion would put right, and what was present."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, (20_000, 1))
    return scores, rng.random(scores.shape) < calibrate(scores, (distortion,))


def test_a_known_distortion_is_found() -> None:
    (found,) = fit_calibrations(*draw_scores(Calibration(slope=0.5, intercept=-1.0)))
    assert (found.slope, found.intercept) == pytest.approx((0.5, -1.0), abs=0.05)


def test_a_score_turned_round_says_the_share_that_is_present() -> None:
    scores, present = draw_scores(Calibration(slope=1.0, intercept=-1.0))
    (found,) = fit_calibrations(1 - scores, present)
    assert found.slope == 0
    assert found.intercept == pytest.approx(float(logit(np.array([present.mean()]))[0]))


def test_after_tuning_the_mean_chance_is_the_share_that_is_present() -> None:
    labelled = draw_pictures(5, count=60, classes=3)
    settings = Tune(pixel_thresholds=(102,), min_areas=(0,), family="presence", folds=3, resamples=2, bootstrap=20)
    rules = tune(labelled.maps, labelled.truths, labelled.raw.classifier, settings=settings).rules
    present = labelled.truths.any(axis=(2, 3)).mean(axis=0)
    assert decide_presence(labelled.raw, rules).probability.mean(axis=0) == pytest.approx(present, abs=0.01)
