from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.calibration import fit_calibrations
from pipeline.evaluation.judgement import judge
from pipeline.evaluation.tuning import NEVER, Grid, dice_of_cells, fit_presence, tune_rule, tune_rules
from pipeline.masks.dice import dice
from pipeline.masks.rule import Rule, calibrate, decide
from tests.evaluation.scenes import write_judged

GRID = Grid((40, 100, 128, 180), (0, 5, 20, 60))


def plain_best(presence: np.ndarray, dices: np.ndarray, empty: np.ndarray) -> float:
    """Every presence threshold × every cell, one at a time."""
    thresholds = [*presence, NEVER]
    cells = product(thresholds, range(dices.shape[1]), range(dices.shape[2]))
    return max(float(np.where(presence >= p, dices[:, t, a], empty).mean()) for p, t, a in cells)


@given(st.integers(0, 2**16), st.integers(1, 12))
def test_no_cell_beats_the_tuned_rule(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    presence = rng.integers(0, 5, count) / 5  # with ties
    dices, empty = rng.random((count, 4, 4)), rng.random(count) > 0.5
    tuned = tune_rule(presence, dices, empty, GRID)
    assert tuned.dice == pytest.approx(plain_best(presence, dices, empty), abs=1e-12)
    cell = dices[:, GRID.pixel_thresholds.index(tuned.rule.pixel_threshold), GRID.min_areas.index(tuned.rule.min_area)]
    decided = np.where(presence >= tuned.rule.presence_threshold, cell, empty)
    assert decided.mean() == pytest.approx(tuned.dice, abs=1e-12)


@given(st.integers(0, 2**16))
def test_a_cell_holds_the_dice_of_the_decided_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels, truth = rng.integers(0, 256, (9, 11)).astype(np.uint8), rng.random((9, 11)) > rng.random()
    table = dice_of_cells(levels, truth, GRID)
    for (t, threshold), (a, area) in product(enumerate(GRID.pixel_thresholds), enumerate(GRID.min_areas)):
        rule = Rule(presence_threshold=0, pixel_threshold=threshold, min_area=area)
        assert table[t, a] == pytest.approx(dice(truth, decide(1, levels, np.ones((9, 11), bool), rule)), abs=1e-12)


def test_the_tuned_dice_is_what_judging_finds(tmp_path: Path) -> None:
    judged = write_judged(tmp_path / "validation.zarr.zip", count=20)
    fitted = fit_presence(judged, classifier_weight=0.5, calibrated=True, force_strongest=False)
    rules, dices = tune_rules(judged, fitted, GRID)
    assert judge(judged, rules).dices.mean(axis=0) == pytest.approx(np.array(dices), abs=1e-12)
    assert np.mean(dices) > judge(judged, fitted).dices.mean()


def test_a_class_that_is_never_present_is_never_declared() -> None:
    tuned = tune_rule(np.array([0.9, 0.2]), np.zeros((2, 1, 1)), np.array([True, True]), Grid((128,), (0,)))
    assert (tuned.rule.presence_threshold, tuned.dice) == (NEVER, 1.0)


def test_a_class_that_is_always_present_is_always_declared() -> None:
    tuned = tune_rule(np.array([0.9, 0.2]), np.full((2, 1, 1), 0.7), np.array([False, False]), Grid((128,), (0,)))
    assert (tuned.rule.presence_threshold, tuned.dice) == (0.0, pytest.approx(0.7))


def test_neighbouring_presences_are_still_told_apart() -> None:
    presence = np.array([0.5, np.nextafter(0.5, 0)])
    tuned = tune_rule(presence, np.array([[[1.0]], [[0.0]]]), np.array([False, True]), Grid((128,), (0,)))
    assert (presence >= tuned.rule.presence_threshold).tolist() == [True, False]


def test_calibrated_scores_mean_what_they_say() -> None:
    rng = np.random.default_rng(0)
    share = rng.random(4000)
    present = rng.random(4000) < share
    overconfident = 1 / (1 + np.exp(-3 * np.log(share / (1 - share))))
    fitted = calibrate(overconfident[:, None], fit_calibrations(overconfident[:, None], present[:, None]))
    assert np.abs(fitted[:, 0] - share).mean() < 0.02


@pytest.mark.parametrize("present", [True, False])
def test_a_class_without_both_answers_keeps_its_scores(present: bool) -> None:
    scores = np.array([[0.2], [0.7]])
    assert calibrate(scores, fit_calibrations(scores, np.full((2, 1), present))) == pytest.approx(scores)


def test_a_score_that_misleads_is_reduced_to_the_base_rate() -> None:
    scores, present = np.array([[0.9], [0.8], [0.2], [0.1]]), np.array([[False], [False], [True], [True]])
    assert calibrate(scores, fit_calibrations(scores, present)) == pytest.approx(np.full((4, 1), 0.5))
