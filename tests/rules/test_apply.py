"""`apply_rules` decides the masks that tuning and evaluation measure."""

import numpy as np
import pytest

from nephoscope.errors import UserError
from nephoscope.evaluation.labelled import LabelledArrays
from nephoscope.evaluation.scores import score_images
from nephoscope.masks.dice import dice
from nephoscope.rules.decide import apply_rules
from nephoscope.rules.rules import Calibration, Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune, tune_images
from tests.builders.example_rules import rule
from tests.builders.example_rules import rules as example_rules
from tests.builders.tuning_pictures import draw_pictures

SETTINGS = Tune(pixel_thresholds=(51, 102, 153), min_areas=(0, 3), folds=3, resamples=2, bootstrap=20)


@pytest.fixture(scope="module")
def labelled() -> LabelledArrays:
    return draw_pictures(5, count=24, classes=2)


@pytest.fixture(scope="module")
def rules(labelled: LabelledArrays) -> Rules:
    return tune_images(labelled, SETTINGS).rules


def dices_of(masks: np.ndarray, truths: np.ndarray) -> np.ndarray:
    return np.array([[dice(*pair) for pair in zip(*image, strict=True)] for image in zip(truths, masks, strict=True)])


@pytest.mark.parametrize(("power", "force"), [(0.0, False), (0.5, True)])
def test_masks_have_exactly_the_dice_of_the_evaluation(
    labelled: LabelledArrays, rules: Rules, power: float, force: bool
) -> None:
    rules = rules.model_copy(update={"adaptive_power": power, "force_top_class": force})
    masks = apply_rules(rules, labelled.maps, labelled.raw.classifier, visible=labelled.visible)
    assert (dices_of(masks, labelled.truths) == score_images(labelled, rules).dices).all()
    assert masks.any()
    assert not masks.all()


def test_probabilities_and_levels_give_the_same_masks(labelled: LabelledArrays, rules: Rules) -> None:
    levels, probabilities = (
        apply_rules(rules, maps, labelled.raw.classifier) for maps in (labelled.maps, labelled.maps / 255)
    )
    assert (levels == probabilities).all()


def test_probabilities_are_rounded_to_the_nearest_level() -> None:
    levels = np.array([99.4, 99.6, 100.0, 100.4])
    some = example_rules(1, output_shape=(1, 4), classifier_weight=0, rules=(rule(presence_threshold=0),))
    assert apply_rules(some, levels.reshape(1, 1, 1, 4) / 255).ravel().tolist() == [False, True, True, True]


def test_without_presences_rules_apply_as_they_were_tuned(labelled: LabelledArrays) -> None:
    tuning = tune(labelled.maps, labelled.truths, settings=SETTINGS)
    masks = apply_rules(tuning.rules, labelled.maps)
    assert dices_of(masks, labelled.truths) == pytest.approx(tuning.tuned, abs=1e-12)


def test_rules_of_a_classifier_need_its_presences(labelled: LabelledArrays, rules: Rules) -> None:
    with pytest.raises(UserError, match="pass its scores as presences"):
        apply_rules(rules.model_copy(update={"classifier_weight": 0.5}), labelled.maps)


def test_rules_of_the_pixels_alone_need_no_presences() -> None:
    steep = (Calibration(slope=9), Calibration(slope=9))
    some = example_rules(classifier_weight=0, classifier_calibrations=steep, rules=(rule(presence_threshold=0.4),) * 2)
    assert apply_rules(some, np.full((1, 2, 4, 4), 0.45)).all()


def test_maps_of_another_shape_are_refused(labelled: LabelledArrays, rules: Rules) -> None:
    with pytest.raises(UserError, match=r"shape \(24, 1, 9, 11\); the rules expect \('N', 2, 9, 11\)"):
        apply_rules(rules, labelled.maps[:, :1], labelled.raw.classifier)
