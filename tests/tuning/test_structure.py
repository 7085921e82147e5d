"""The structure of the rules: every part changes the masks, and `searched` finds the part that the data need."""

import numpy as np
import pytest

from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import Tuning, tune

SETTINGS = Tune(pixel_thresholds=(51, 102, 153), min_areas=(0, 8), folds=3, resamples=2, bootstrap=20)
COUNT = 60


def tune_with(arrays: tuple[np.ndarray, ...], **settings: object) -> Tuning:
    return tune(*arrays, settings=SETTINGS.model_copy(update=settings))


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps show the same blob and a speck in every image. The blob is true in every other one; the classifier knows."""
    maps, truths = np.zeros((2, COUNT, 1, 16, 16))
    maps[:, :, 3:9, 3:9] = maps[:, :, 13:15, 13:15] = 0.7
    truths[::2, :, 3:9, 3:9] = 1
    presences = np.where(truths.any((2, 3)), 0.9, 0.2)
    return maps, truths, presences


def test_presence_is_read_from_the_source_in_the_settings(blobs: tuple[np.ndarray, ...]) -> None:
    classifier, pixels, weighted, unweighted, both = (
        tune_with(blobs, family="presence", **settings).cross_fitted.mean()
        for settings in (
            {"presence": "classifier"},
            {"presence": "pixels"},
            {"presence": "both", "classifier_weight": 1.0},
            {"presence": "both", "classifier_weight": 0.0},
            {"presence": "both", "classifier_weight": "searched"},
        )
    )
    assert classifier == weighted == both == 1
    assert pixels == unweighted < 0.6


def test_the_searched_weight_leaves_a_useless_source_out(blobs: tuple[np.ndarray, ...]) -> None:
    maps, truths, _ = blobs
    dimmed = np.where(truths.any((2, 3), keepdims=True), maps, maps / 2)
    noise = np.random.default_rng(0).random(truths.shape[:2])
    by_noise, searched = (
        tune_with((dimmed, truths, noise), family="presence", pixel_thresholds=(51,), classifier_weight=weight)
        for weight in (1.0, "searched")
    )
    assert by_noise.cross_fitted.mean() < 0.7
    assert searched.cross_fitted.mean() == 1
    assert searched.rules.classifier_weight <= 0.5


def test_every_family_has_a_part_more_than_the_one_before(blobs: tuple[np.ndarray, ...]) -> None:
    pixel, area, presence = (tune_with(blobs, family=family) for family in ("pixel", "area", "presence"))
    assert pixel.tuned.mean() < area.tuned.mean() < presence.tuned.mean() == 1
    rules = [tuning.rules.rules[0] for tuning in (pixel, area, presence)]
    assert [rule.min_area for rule in rules] == [0, 8, 8]
    assert [rule.presence_threshold > 0 for rule in rules] == [False, False, True]


def test_calibration_is_left_out_if_the_settings_say_so(blobs: tuple[np.ndarray, ...]) -> None:
    plain, calibrated = (tune_with(blobs, calibrate=calibrate).rules for calibrate in (False, True))
    assert plain.classifier_calibrations[0].slope == 1
    assert calibrated.classifier_calibrations[0].slope > 1.2


@pytest.fixture(scope="module")
def one_class_each() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every image has one of two classes. The classifier ranks them right, but dim images need another threshold."""
    rng = np.random.default_rng(0)
    truths = np.zeros((COUNT, 2, 8, 8))
    truths[np.arange(COUNT), np.arange(COUNT) % 2] = 1
    brightness = np.where(rng.random((COUNT, 1)) < 0.3, 0.04, 1.0)
    presences = np.where(truths.any((2, 3)), 0.9, 0.1) * brightness
    return np.full(truths.shape, 0.7), truths, presences


def test_forcing_the_top_class_is_chosen_where_every_image_has_a_class(one_class_each: tuple[np.ndarray, ...]) -> None:
    fixed, searched = (
        tune_with(one_class_each, presence="classifier", calibrate=False, family="presence", force_top_class=force)
        for force in (False, "searched")
    )
    assert fixed.cross_fitted.mean() < 0.9
    assert searched.cross_fitted.mean() == 1
    assert searched.rules.force_top_class


def test_forcing_is_never_chosen_under_a_constraint(one_class_each: tuple[np.ndarray, ...]) -> None:
    bounded = tune_with(one_class_each, presence="classifier", family="presence", min_recall={"every": 0.5})
    assert not bounded.rules.force_top_class


@pytest.mark.parametrize("power", [1, 2])
def test_adaptive_thresholds_are_chosen_if_they_are_ahead(power: int) -> None:
    """Every image has its own brightness, so no fixed threshold is right for all images."""
    rng = np.random.default_rng(0)
    truths, rims, cores = np.zeros((3, 60, 1, 20, 20), bool)
    truths[:, :, 5:15, 5:15] = rims[:, :, 3:17, 3:17] = cores[:, :, 6:14, 6:14] = True
    brightness = rng.uniform(0.3, 1, (60, 1, 1, 1))
    outside = brightness**power * np.where(truths, 0.9, np.where(rims, 0.5, 0.0))
    maps = np.where(cores, brightness * 0.95, outside)
    settings = {"pixel_thresholds": tuple(range(20, 256, 20)), "family": "area", "min_areas": (0, 3)}
    fixed, searched = (tune_with((maps, truths), adaptive_power=value, **settings) for value in (0.0, "searched"))
    assert fixed.cross_fitted.mean() < 0.95 < searched.cross_fitted.mean()
    assert searched.rules.adaptive_power == power
    assert searched.tuned.mean() == 1
