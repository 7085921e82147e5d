"""Calibrated scores are shares: of all images with a score of 0.7, seven in ten contain the class."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nephoscope.evaluation.calibration import (
    CALIBRATED,
    EVERY_CLASS,
    PresenceSource,
    brier_table,
    confidence_table,
    fit_calibrations,
    presence_sources,
    reliability_table,
)
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.presence import PresenceDecision, RawPresences, calibrate, decide_presence, fuse, logit
from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune_images
from tests.builders.tuning_pictures import draw_pictures


def draw_scores(calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N×1) and presence, drawn so that this calibration is the right one."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, (20_000, 1))
    return scores, rng.random(scores.shape) < calibrate(scores, (calibration,))


def test_a_known_calibration_is_recovered() -> None:
    (fitted,) = fit_calibrations(*draw_scores(Calibration(slope=0.5, intercept=-1.0)))
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.5, -1.0), abs=0.05)


@pytest.mark.parametrize("deviation", [0.1, 2.0])
@pytest.mark.parametrize(("count", "tolerance"), [(15, 0.13), (96, 0.05), (568, 0.025), (4000, 0.01)])
def test_the_error_on_fresh_images_does_not_depend_on_the_scale_of_a_score(
    deviation: float, count: int, tolerance: float
) -> None:
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(40):
        scores = 1 / (1 + np.exp(-rng.normal(0, deviation, (count + 1000, 1))))
        truth = calibrate(scores, (Calibration(slope=2 / deviation, intercept=-1.0),))
        present = rng.random(scores.shape) < truth
        fitted = fit_calibrations(scores[:count], present[:count])
        errors.append(np.abs(calibrate(scores[count:], fitted) - truth[count:]).mean())
    assert np.mean(errors) < tolerance


@pytest.mark.parametrize("deviation", [0.1, 2.0])
def test_with_many_images_the_penalty_does_not_matter(deviation: float) -> None:
    """scikit-learn without a penalty is the oracle."""
    rng = np.random.default_rng(2)
    logits = rng.normal(0, deviation, (4000, 1))
    scores = 1 / (1 + np.exp(-logits))
    present = rng.random(scores.shape) < calibrate(scores, (Calibration(slope=2 / deviation, intercept=-1.0),))
    free = LogisticRegression(C=np.inf, tol=1e-8).fit(logits / deviation, present[:, 0])
    (fitted,) = fit_calibrations(scores, present)
    assert fitted.slope * deviation == pytest.approx(free.coef_.item(), rel=0.01)
    assert fitted.intercept == pytest.approx(free.intercept_.item(), rel=0.03)


@pytest.mark.parametrize(("scale", "shift"), [(0.01, 0.0), (0.05, 1.0), (3.0, -2.0)])
def test_scaled_and_shifted_logits_give_the_same_probabilities(scale: float, shift: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(60, 1))
    present = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    plain, other = (1 / (1 + np.exp(-values)) for values in (logits, scale * logits + shift))
    expected = calibrate(plain, fit_calibrations(plain, present))
    assert calibrate(other, fit_calibrations(other, present)) == pytest.approx(expected, abs=1e-3)


def test_separable_scores_stay_finite() -> None:
    scores, present = np.array([[0.1], [0.2], [0.8], [0.9]]), np.array([[False], [False], [True], [True]])
    (fitted,) = fit_calibrations(scores, present)
    assert 0 < fitted.slope < 10


def test_a_constant_score_gets_the_base_rate() -> None:
    (fitted,) = fit_calibrations(np.full((8, 1), 0.3), np.array([[True]] * 6 + [[False]] * 2))
    assert calibrate(np.array([[0.3]]), (fitted,)).item() == pytest.approx(0.75)


def test_a_class_that_is_always_or_never_present_keeps_its_scores() -> None:
    scores = np.random.default_rng(0).random((9, 2))
    assert fit_calibrations(scores, np.tile([True, False], (9, 1))) == (Calibration(), Calibration())


def test_a_reversed_score_gets_the_base_rate() -> None:
    scores, present = draw_scores(Calibration(slope=1.0, intercept=-1.0))
    (fitted,) = fit_calibrations(1 - scores, present)
    assert fitted.slope == 0
    assert fitted.intercept == pytest.approx(float(logit(np.array([present.mean()]))[0]))


def test_after_tuning_the_mean_probability_is_the_share_present() -> None:
    labelled = draw_pictures(5, count=60, classes=3)
    settings = Tune(pixel_thresholds=(102,), min_areas=(0,), family="presence", folds=3, resamples=2, bootstrap=20)
    rules = tune_images(labelled, settings).rules
    present = labelled.truths.any(axis=(2, 3)).mean(axis=0)
    assert decide_presence(labelled.raw, rules).probability.mean(axis=0) == pytest.approx(present, abs=0.01)
    assert rules.presence_calibrations == fit_calibrations(fuse(labelled.raw, rules), labelled.truths.any(axis=(2, 3)))


def rules(presence: tuple[Calibration, ...] | None = None, *, force: bool = False) -> Rules:
    return Rules(
        classes=("a", "b"),
        output_shape=(2, 3),
        inference_settings=InferenceSettings(),
        classifier_weight=1,
        classifier_calibrations=(Calibration(), Calibration()),
        top_fraction_calibrations=(Calibration(), Calibration()),
        force_top_class=force,
        presence_calibrations=presence,
        rules=tuple(Rule(presence_threshold=0.5, pixel_threshold=128, min_area=0) for _ in range(2)),
    )


def raw(*scores: tuple[float, float]) -> RawPresences:
    return RawPresences(np.array(scores), np.zeros((len(scores), 2)))


def test_reliability_compares_scores_with_shares_per_bin() -> None:
    scores = np.array([[0.72], [0.78], [0.1], [1.0]])
    table = reliability_table([PresenceSource("x", scores)], np.array([[True], [False], [False], [True]]), ("a",))
    assert table["class_name"].tolist() == ["a"] * 3 + [EVERY_CLASS] * 3
    first = table[table["class_name"] == "a"]
    assert first["predicted"].tolist() == pytest.approx([0.1, 0.75, 1.0])
    assert first["observed"].tolist() == [0, 0.5, 1]
    assert first["image_count"].tolist() == [1, 2, 1]


def test_brier_scores_and_calibration_errors() -> None:
    scores, present = np.array([[0.8, 0.5], [0.2, 0.5]]), np.array([[True, True], [True, False]])
    table = brier_table([PresenceSource("x", scores)], present, ("a", "b"), Bootstrap(50)).set_index("class_name")
    assert table.loc["a", "brier"] == pytest.approx((0.04 + 0.64) / 2)
    assert table.loc["b", "brier"] == pytest.approx(0.25)
    assert table.loc["b", "calibration_error"] == pytest.approx(0)
    assert table.loc["a", "calibration_error"] == pytest.approx((0.2 + 0.8) / 2)
    assert table.loc[EVERY_CLASS, "brier"] == pytest.approx((0.34 + 0.25) / 2)


def test_the_last_calibration_changes_no_decision() -> None:
    sharper = (Calibration(slope=3.0), Calibration(intercept=-9.0))
    scores = raw((0.6, 0.6), (0.4, 0.9))
    plain, calibrated = decide_presence(scores, rules()), decide_presence(scores, rules(sharper))
    assert (plain.present == calibrated.present).all()
    np.testing.assert_allclose(plain.probability, scores.classifier)
    assert calibrated.probability[0, 0] > 0.6
    assert calibrated.probability[0, 1] < 0.01
    assert presence_sources(scores, calibrated)[-1].name == CALIBRATED


def test_confidence_is_the_probability_that_the_decision_is_right() -> None:
    decision = PresenceDecision(
        np.array([[0.9, 0.1, 0.6, 0.4]]), np.array([[0.9, 0.1, 0.6, 0.4]]), np.array([[True, False, True, True]])
    )
    assert decision.confidence[0].tolist() == pytest.approx([0.9, 0.9, 0.6, 0.4])
    assert decision.unsure.tolist() == [[False, False, True, True]]


def test_a_forced_class_keeps_its_probability() -> None:
    decision = decide_presence(raw((0.2, 0.1)), rules(force=True))
    assert decision.present.tolist() == [[True, False]]
    assert decision.probability[0, 0] == pytest.approx(0.2)
    assert decision.unsure.tolist() == [[True, False]]


def test_sure_and_unsure_decisions_have_their_share_of_errors() -> None:
    decision = PresenceDecision(
        np.array([[0.9, 0.6], [0.8, 0.1]]), np.array([[0.9, 0.6], [0.8, 0.1]]), np.array([[True, True], [True, False]])
    )
    table = confidence_table(decision, np.array([[True, False], [False, False]]), ("a", "b")).set_index(
        ["confidence_label", "class_name"]
    )
    assert table.loc[("sure", "a"), "wrong_share"] == 0.5
    assert table.loc[("sure", "a"), "predicted_wrong_share"] == pytest.approx(0.15)
    assert table.loc[("unsure", "b"), "share"] == 0.5
    assert table.loc[("unsure", EVERY_CLASS), "wrong_share"] == 1
    assert np.isnan(table.loc[("unsure", "a"), "wrong_share"])
