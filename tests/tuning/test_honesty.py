"""No image is scored by rules that saw it, and near duplicates count as one image."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledArrays
from nephoscope.masks.dice import dice
from nephoscope.rules.decide import apply_rules
from nephoscope.rules.rules import Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.crossfit import NOTHING, CrossFitting, Structure
from nephoscope.tuning.evidence import gather
from nephoscope.tuning.tune import tune, tune_images
from tests.builders.tuning_pictures import draw_pictures

SETTINGS = Tune(pixel_thresholds=(51, 102, 153, 204), min_areas=(0, 3, 10), folds=3, resamples=4, bootstrap=50)
FOLDS = range(SETTINGS.folds)


class Decided(NamedTuple):
    structure: Structure
    rules: Rules


def cross_fitting(labelled: LabelledArrays) -> CrossFitting:
    return CrossFitting(gather(labelled), SETTINGS, [None] * len(labelled.classes), np.array(SETTINGS.min_areas))


def decided_without_each_fold(fitting: CrossFitting) -> list[Decided]:
    left_out = [frozenset({fold}) for fold in FOLDS]
    structures, _ = fitting._decide(left_out, enough=True)
    fits = fitting._fit(list(zip(structures, left_out, strict=True)), thinned=False)
    return [Decided(structure, fit.rules) for structure, fit in zip(structures, fits, strict=True)]


def turn_truth(labelled: LabelledArrays, images: np.ndarray) -> LabelledArrays:
    """The same images, with the inverse truth for some of them."""
    return replace(labelled, truths=np.where(images[:, None, None, None], ~labelled.truths, labelled.truths))


def masks_of(labelled: LabelledArrays, rules: Rules, images: np.ndarray) -> np.ndarray:
    return apply_rules(rules, labelled.maps[images], labelled.raw.classifier[images], visible=labelled.visible[images])


def dices_of(truths: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return np.array([[dice(*pair) for pair in zip(*image, strict=True)] for image in zip(truths, masks, strict=True)])


@pytest.fixture(scope="module")
def labelled() -> LabelledArrays:
    return draw_pictures(7, count=30, classes=2)


@pytest.fixture(scope="module")
def decided(labelled: LabelledArrays) -> list[Decided]:
    return decided_without_each_fold(cross_fitting(labelled))


@pytest.mark.parametrize("fold", FOLDS)
def test_the_truth_of_a_fold_changes_the_rules_of_the_other_folds_alone(
    labelled: LabelledArrays, decided: list[Decided], fold: int
) -> None:
    turned = cross_fitting(turn_truth(labelled, cross_fitting(labelled).folds == fold))
    after = decided_without_each_fold(turned)
    assert after[fold] == decided[fold]
    others = [other for other in FOLDS if other != fold]
    assert all(after[other].rules.rules != decided[other].rules.rules for other in others)
    assert all(
        after[other].rules.top_fraction_calibrations != decided[other].rules.top_fraction_calibrations
        for other in others
    )
    assert any(after[other].structure != decided[other].structure for other in others)


@pytest.mark.parametrize("fold", FOLDS)
def test_the_returned_rules_of_a_fold_do_not_depend_on_its_truth(labelled: LabelledArrays, fold: int) -> None:
    before = tune_images(labelled, SETTINGS)
    after = tune_images(turn_truth(labelled, before.folds == fold), SETTINGS)
    assert np.array_equal(after.folds, before.folds)
    assert after.fold_rules[fold] == before.fold_rules[fold]
    assert after.fold_rules[fold].presence_calibrations is not None
    others = [other for other in FOLDS if other != fold]
    assert all(after.fold_rules[other] != before.fold_rules[other] for other in others)


def test_the_cross_fitted_dice_is_that_of_masks_by_rules_without_the_fold(
    labelled: LabelledArrays, decided: list[Decided]
) -> None:
    fitting = cross_fitting(labelled)
    dices = fitting.run().dices
    for fold in FOLDS:
        images = fitting.folds == fold
        masks = masks_of(labelled, decided[fold].rules, images)
        assert dices[images] == pytest.approx(dices_of(labelled.truths[images], masks), abs=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_leaving_a_fold_out_equals_never_having_had_it(labelled: LabelledArrays, power: float) -> None:
    fixed = {"classifier_weight": 0.3, "adaptive_power": power, "family": "presence", "force_top_class": False}
    settings = SETTINGS.model_copy(update=fixed)
    presences = labelled.raw.classifier
    folds = cross_fitting(labelled).folds
    whole = tune(labelled.maps, labelled.truths, presences, visible=labelled.visible, settings=settings)
    for fold in FOLDS:
        kept = folds != fold
        parts = (array[kept] for array in (labelled.maps, labelled.truths, presences))
        rules = tune(*parts, visible=labelled.visible[kept], settings=settings).rules
        masks = masks_of(labelled, rules, ~kept)
        assert whole.cross_fitted[~kept] == pytest.approx(dices_of(labelled.truths[~kept], masks), abs=1e-9)


def test_trials_of_a_left_out_fold_never_score_it(labelled: LabelledArrays) -> None:
    fitting = cross_fitting(labelled)
    _, (every, without) = fitting._decide([NOTHING, frozenset({2})], enough=True)
    outside = fitting.folds == 2
    assert not any(np.isnan(trial.dices).any() for trial in every)
    assert all(np.isnan(trial.dices[:, outside]).all() for trial in without)
    assert not any(np.isnan(trial.dices[:, ~outside]).any() for trial in without)


def test_tuned_rules_promise_too_much_and_cross_fitted_ones_do_not() -> None:
    """Maps of noise, on which no rule is good: fresh images show what the rules are worth."""
    settings = SETTINGS.model_copy(update={"force_top_class": False, "adaptive_power": 0.0})
    promised, honest, true = [], [], []
    for seed in range(10):
        labelled, fresh = draw_pictures(seed, count=24), draw_pictures(100 + seed, count=200)
        tuning = tune(labelled.maps, labelled.truths, labelled.raw.classifier, settings=settings)
        masks = apply_rules(tuning.rules, fresh.maps, fresh.raw.classifier)
        promised.append(tuning.tuned.mean())
        honest.append(tuning.cross_fitted.mean())
        true.append(dices_of(fresh.truths, masks).mean())
    assert np.mean(promised) > np.mean(true) + 0.06
    assert np.mean(honest) == pytest.approx(np.mean(true), abs=0.03)


def repeat(labelled: LabelledArrays, times: int) -> tuple[np.ndarray, ...]:
    return tuple(np.repeat(array, times, axis=0) for array in (labelled.maps, labelled.truths, labelled.raw.classifier))


def test_near_duplicates_do_not_hide_the_gap() -> None:
    """On noise, copies in other folds let rules remember the images that score them."""
    fixed = {"classifier_weight": 1.0, "adaptive_power": 0.0, "family": "presence", "force_top_class": False}
    settings = SETTINGS.model_copy(update={**fixed, "pixel_thresholds": tuple(range(1, 256, 10))})
    gaps = []
    for seed in range(8):
        labelled = draw_pictures(seed, count=20)
        copies = repeat(labelled, 3)
        once = tune(*repeat(labelled, 1), settings=settings)
        grouped = tune(*copies, groups=np.repeat(np.arange(20), 3), settings=settings)
        ungrouped = tune(*copies, settings=settings)
        gaps.append([tuning.tuned.mean() - tuning.cross_fitted.mean() for tuning in (once, grouped, ungrouped)])
    once_gap, grouped_gap, ungrouped_gap = np.mean(gaps, axis=0)
    assert grouped_gap == pytest.approx(once_gap, abs=0.02)
    assert ungrouped_gap < once_gap / 4


@pytest.mark.parametrize("table", ["estimates", "thresholds", "presence"])
def test_every_interval_of_a_tuning_resamples_groups(labelled: LabelledArrays, table: str) -> None:
    """All images in one group: every resample is the same. Alone, they differ."""
    grouped, alone = (
        tune(*repeat(labelled, 1), groups=groups, settings=SETTINGS).tables[table].dropna()
        for groups in (["same"] * len(labelled), None)
    )
    assert grouped["low"].to_numpy() == pytest.approx(grouped["high"].to_numpy(), abs=1e-12)
    assert (alone["low"] < alone["high"]).mean() > 0.3


def test_the_interval_of_the_cross_fitted_dice_resamples_groups(labelled: LabelledArrays) -> None:
    groups = np.repeat(np.arange(10), 3)
    tuning = tune(*repeat(labelled, 1), groups=groups, settings=SETTINGS)
    row = tuning.tables["estimates"].set_index(["estimate", "class_name"]).loc[("cross-fitted", "mean")]
    expected = Bootstrap(SETTINGS.bootstrap, SETTINGS.confidence, SETTINGS.seed, groups).interval(tuning.cross_fitted)
    assert (row["dice"], row["low"], row["high"]) == pytest.approx((expected.mean, expected.low, expected.high))
