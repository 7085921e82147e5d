"""The choice of a rule, and the cross-fitted estimate of its Dice."""

import numpy as np
import pytest

from nephoscope.evaluation.labelled import LabelledArrays
from nephoscope.rules.rules import NEVER
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.crossfit import CrossFitting, effective_shrinkage, pick_middle, pick_unless_beaten
from nephoscope.tuning.evidence import ClassEvidence, gather
from nephoscope.tuning.families import Grid, make_grid
from nephoscope.tuning.fitting import fit_presence, fit_rules
from nephoscope.tuning.plateau import choose, standard_errors
from nephoscope.tuning.search import Problem
from tests.builders.tuning_pictures import draw_pictures, gather_pictures

SETTINGS = Tune(pixel_thresholds=(51, 102, 153, 204), min_areas=(0, 3, 10), folds=3, resamples=4, bootstrap=50)
GRID = make_grid("presence", SETTINGS.pixel_thresholds, SETTINGS.min_areas)


def discs(areas: list[int], truth_area: int) -> ClassEvidence:
    """Images with one component each: this area at levels 1 to 100, and half of it up to level 200."""
    rows = [[[1, 100, area, min(area, truth_area)], [101, 200, area // 2, area // 2]] for area in areas]
    count = len(areas)
    starts, truths = np.arange(0, 2 * count + 1, 2), np.full(count, truth_area)
    return ClassEvidence(np.array(rows, np.int32).reshape(-1, 4), starts, truths)


def test_equal_rules_are_averaged_to_the_middle() -> None:
    """All thresholds from 1 to 100 do the same; so do all areas up to 400."""
    grid = Grid(np.arange(1, 256), np.arange(0, 901, 100), gated=False)
    (choice,) = choose(discs([400] * 6, 400), grid, [Problem.open(np.ones(6))])
    assert choice.best.pixel_threshold == 1
    assert choice.middle.pixel_threshold == 50
    assert 100 <= choice.middle.min_area <= 200  # the mean of sides 0, 10, 14, 17 and 20 is 12, squared 149
    assert (choice.lowest["pixel_threshold"], choice.highest["pixel_threshold"]) == (1, 100)
    assert (choice.lowest["min_area"], choice.highest["min_area"]) == (0, 400)
    assert choice.share == pytest.approx(100 * 5 / (255 * 10))


def test_clearly_worse_rules_do_not_count() -> None:
    grid = Grid(np.arange(1, 201), np.zeros(1, np.int64), gated=False)
    (choice,) = choose(discs([300, 410, 420, 380, 390, 400], 400), grid, [Problem.open(np.ones(6))])
    assert choice.highest["pixel_threshold"] == 100
    assert choice.middle.pixel_threshold == pytest.approx(50, abs=1)


def test_a_valley_between_two_plateaus_is_not_chosen() -> None:
    """Thresholds 1-20 and 181-200 are right; between them the mask has half the area. The mean lies in between."""
    rows = [[[1, 20, 100, 100], [21, 180, 50, 50], [181, 200, 100, 100]] for _ in range(5)]
    spans = np.array(rows, np.int32).reshape(-1, 4)
    evidence = ClassEvidence(spans, np.arange(0, 16, 3), np.full(5, 100))
    grid = Grid(np.arange(1, 201), np.zeros(1, np.int64), gated=False)
    (choice,) = choose(evidence, grid, [Problem.open(np.ones(5))])
    assert choice.middle.pixel_threshold in (*range(1, 21), *range(181, 201))


def test_standard_errors_of_a_paired_mean() -> None:
    difference = np.array([0.1, 0.3, 0.2, 0.4])
    expected = difference.mean() / (difference.std() / 2)
    assert standard_errors(difference.mean(), (difference**2).mean(), 4) == pytest.approx(expected)
    assert standard_errors(0.0, 0.0, 4) == 0
    assert standard_errors(0.1, 0.01, 4) > 1e6  # always the same distance behind: no noise at all


def test_shrinkage_moves_thresholds_half_way_to_their_mean() -> None:
    _, evidence = gather_pictures(3, count=40, classes=2)
    fitted = fit_presence(evidence, np.ones(40, bool), calibrate=True)
    alone, together = (
        fit_rules(evidence, GRID, [fitted], [np.ones(40)], [None, None], shrinkage)[0].rules.rules
        for shrinkage in (0, 0.5)
    )
    own = np.array([rule.presence_threshold for rule in alone])
    assert [rule.presence_threshold for rule in together] == pytest.approx((own + own.mean()) / 2)


def test_thresholds_of_uncalibrated_presences_do_not_shrink() -> None:
    assert [effective_shrinkage(Tune(calibrate=calibrate)) for calibrate in (False, True)] == [0, 0.5]


def test_a_class_that_is_best_empty_is_never_shown_and_moves_no_other() -> None:
    labelled = draw_pictures(4, count=40, classes=3)
    labelled.maps[:, 1] = np.where(labelled.truths[:, 1], 0, 255)
    evidence, every = gather(labelled), np.ones(40)
    fitted = fit_presence(evidence, every > 0, calibrate=True)
    alone, together = (fit_rules(evidence, GRID, [fitted], [every], [None] * 3, shrinkage)[0] for shrinkage in (0, 0.5))
    assert together.choices[1].best.presence_threshold == NEVER
    assert [fit.rules.rules[1].presence_threshold for fit in (alone, together)] == [NEVER, NEVER]
    own, moved = (np.array([fit.rules.rules[of].presence_threshold for of in (0, 2)]) for fit in (alone, together))
    assert own[0] != own[1]
    assert moved == pytest.approx((own + own.mean()) / 2)


def test_a_class_that_is_never_present_is_never_shown() -> None:
    labelled = draw_pictures(1, count=30, classes=2)
    labelled.truths[:, 1] = False
    cross_fitted = cross_fitting(labelled, SETTINGS.model_copy(update={"family": "presence"})).run()
    assert cross_fitted.fit.rules.rules[1].presence_threshold == NEVER
    assert cross_fitted.fit.rules.rules[0].presence_threshold < 1
    assert cross_fitted.dices[:, 1].tolist() == [1] * 30


def cross_fitting(labelled: LabelledArrays, settings: Tune = SETTINGS) -> CrossFitting:
    evidence = gather(labelled)
    return CrossFitting(evidence, settings, [None] * len(labelled.classes), np.array(settings.min_areas))


def test_too_few_images_are_not_cross_fitted() -> None:
    cross_fitted = cross_fitting(draw_pictures(0, count=5)).run()
    assert np.isnan(cross_fitted.dices).all()
    assert cross_fitted.trials == ()
    assert cross_fitted.structure.family == "presence"


def test_the_middle_of_the_best_weights_is_picked() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1, 200))
    scores = np.array([0.3, 0.5, 0.5, 0.5, 0.1])[:, None] + 0.01 * noise + 0.001 * rng.normal(size=(5, 200))
    assert pick_middle(scores) == 2


def test_the_default_stays_unless_another_is_clearly_ahead() -> None:
    noise = np.random.default_rng(0).normal(size=100)
    usual, luckier, better = np.full(100, 0.5), 0.501 + 0.1 * noise, 0.6 + 0.1 * noise
    assert pick_unless_beaten(0, np.stack([usual, luckier])) == 0
    assert pick_unless_beaten(0, np.stack([usual, luckier, better])) == 2
