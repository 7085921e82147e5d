import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import expit, logit

from nephoscope.masks.components import label_components
from nephoscope.masks.dice import dice, dice_of_areas
from nephoscope.rules.decide import adapt_rules, adapt_thresholds, decide, decide_masks
from nephoscope.rules.presence import RawPresences, calibrate, decide_presence, presences, top_fraction_mean
from nephoscope.rules.rules import Calibration, Rules
from tests.builders.example_rules import rule, rules

LEVELS = np.array(
    [
        [200, 200, 0, 90],
        [200, 0, 0, 90],
        [0, 0, 0, 0],
        [150, 0, 250, 0],
    ],
    np.uint8,
)
ALL = np.ones((4, 4), bool)


def pixels_of(mask: np.ndarray) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in np.argwhere(mask)]


def test_a_level_at_the_pixel_threshold_is_in_the_mask() -> None:
    assert pixels_of(decide(1, LEVELS, ALL, rule(pixel_threshold=150))) == [(0, 0), (0, 1), (1, 0), (3, 0), (3, 2)]


def test_a_presence_at_the_threshold_is_present() -> None:
    assert decide(0.5, LEVELS, ALL, rule()).any()
    assert not decide(0.499, LEVELS, ALL, rule()).any()


def test_an_area_at_the_minimum_stays() -> None:
    assert pixels_of(decide(1, LEVELS, ALL, rule(min_area=3))) == [(0, 0), (0, 1), (1, 0)]
    assert not decide(1, LEVELS, ALL, rule(min_area=4)).any()


def test_invisible_pixels_are_never_predicted() -> None:
    visible = ALL.copy()
    visible[0] = False
    assert pixels_of(decide(1, LEVELS, visible, rule())) == [(1, 0), (3, 0), (3, 2)]


def test_an_invisible_gap_splits_a_component() -> None:
    levels, visible = np.full((1, 5), 200, np.uint8), np.array([[1, 1, 0, 1, 1]], bool)
    assert not decide(1, levels, visible, rule(min_area=3)).any()


def test_touching_corners_are_one_component() -> None:
    assert label_components(np.eye(3, dtype=bool)).areas.tolist() == [3]


@given(st.integers(0, 2**16 - 1), st.integers(1, 255), st.integers(0, 20))
def test_a_larger_minimum_or_threshold_never_adds_a_pixel(seed: int, threshold: int, area: int) -> None:
    levels = np.random.default_rng(seed).integers(0, 256, (6, 7)).astype(np.uint8)
    visible = np.ones((6, 7), bool)
    mask = decide(1, levels, visible, rule(pixel_threshold=threshold, min_area=area))
    assert not (decide(1, levels, visible, rule(pixel_threshold=threshold, min_area=area + 1)) & ~mask).any()
    assert not (decide(1, levels, visible, rule(pixel_threshold=min(255, threshold + 1))) & (levels < threshold)).any()


def test_presence_is_the_weighted_mean_of_its_sources() -> None:
    raw = RawPresences(np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]]))
    assert presences(raw, rules(classifier_weight=0.75)) == pytest.approx(np.array([[0.7, 0.3]]))


def test_every_source_of_presence_has_its_own_calibration() -> None:
    raw = RawPresences(np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]]))
    first = (Calibration(slope=2, intercept=1), Calibration(slope=0.5))
    second = (Calibration(slope=3, intercept=-1), Calibration(intercept=2))
    fused = presences(
        raw, rules(classifier_weight=0.25, classifier_calibrations=first, top_fraction_calibrations=second)
    )
    by_classifier = expit(np.array([2, 0.5]) * logit(raw.classifier) + [1, 0])
    by_pixels = expit(np.array([3, 1]) * logit(raw.top_mean) + [-1, 2])
    assert fused == pytest.approx(0.25 * by_classifier + 0.75 * by_pixels)


def test_calibration_scales_and_shifts_the_logit() -> None:
    raw = RawPresences(np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]]))
    calibrations = (Calibration(slope=2, intercept=1), Calibration(slope=2, intercept=-1))
    calibrated = presences(raw, rules(classifier_weight=1, classifier_calibrations=calibrations))
    assert calibrated == pytest.approx(np.array([[0.7310586, 0.2689414]]))


def test_forcing_raises_the_most_probable_class_to_its_threshold() -> None:
    raw = RawPresences(np.array([[0.3, 0.4], [0.9, 0.45]]), np.zeros((2, 2)))
    forced = presences(raw, rules(classifier_weight=1, force_top_class=True))
    assert forced == pytest.approx(np.array([[0.3, 0.5], [0.9, 0.45]]))


def test_forcing_skips_classes_that_are_never_present() -> None:
    raw = RawPresences(np.array([[0.3, 0.4]]), np.zeros((1, 2)))
    never = (rule(presence_threshold=2), rule(presence_threshold=2))
    forced = presences(raw, rules(classifier_weight=1, force_top_class=True, rules=never))
    assert not decide_masks(forced[0], np.zeros(2), np.stack([LEVELS, LEVELS]), ALL, rules(rules=never)).any()


def test_forcing_chooses_among_the_classes_that_can_be_present() -> None:
    raw = RawPresences(np.array([[0.3, 0.6], [0.5, 1.0]]), np.zeros((2, 2)))
    one_never = (rule(presence_threshold=0.5), rule(presence_threshold=2))
    forced = presences(raw, rules(classifier_weight=1, force_top_class=True, rules=one_never))
    assert forced == pytest.approx(np.array([[0.5, 0.6], [0.5, 1.0]]), abs=1e-5)


def test_an_unknown_presence_is_not_present() -> None:
    assert not decide(np.nan, LEVELS, ALL, rule()).any()
    raw = RawPresences(np.array([[np.nan, 0.9]]), np.zeros((1, 2)))
    assert decide_presence(raw, rules(classifier_weight=1)).present.tolist() == [[False, True]]


def test_pixel_thresholds_adapt_to_the_top_fraction_of_an_image() -> None:
    adaptive = rules(rules=(rule(pixel_threshold=200), rule()), adaptive_power=0.5)
    assert [adapted.pixel_threshold for adapted in adapt_rules(adaptive, np.array([1.0, 0.25]))] == [200, 50]
    assert [adapted.pixel_threshold for adapted in adapt_rules(adaptive, np.array([0.25, 1.0]))] == [100, 100]


def test_thresholds_stay_without_adaptive_power() -> None:
    assert adapt_rules(rules(), np.array([0.1, 0.9])) == rules().rules


def test_a_map_half_as_bright_gives_the_same_mask() -> None:
    adaptive = rules(rules=(rule(pixel_threshold=150),) * 2, adaptive_power=1)
    levels = np.stack([LEVELS, LEVELS // 2])
    bright, dim = decide_masks(np.ones(2), np.array([0.8, 0.4]), levels, ALL, adaptive)
    assert bright.any()
    assert (bright == dim).all()


@given(st.floats(0, 1), st.floats(0, 3))
def test_adapted_thresholds_are_levels_in_ascending_order(top_mean: float, power: float) -> None:
    (levels,) = adapt_thresholds(np.array([top_mean]), power)
    assert levels[0] == 0
    assert levels[1] >= 1
    assert levels[255] <= 255
    assert (np.diff(levels) >= 0).all()


def test_rules_need_a_rule_per_class() -> None:
    with pytest.raises(ValidationError, match="1 for 2 classes"):
        rules(rules=(rule(),))


def test_rules_survive_json() -> None:
    assert Rules.model_validate_json(rules().model_dump_json()) == rules()


def test_the_top_fraction_mean_uses_visible_pixels_only() -> None:
    visible = LEVELS < 250
    assert top_fraction_mean(LEVELS[None], visible, 0.2) == pytest.approx([200 / 255])
    assert top_fraction_mean(LEVELS[None], ~ALL, 0.2).tolist() == [0]


def test_the_top_fraction_is_rounded_to_whole_pixels() -> None:
    levels = np.array([[[255, 0, 0]]], np.uint8)
    shares = {0.1: 1, 0.4: 1, 0.6: 0.5, 0.9: 1 / 3}  # one, one, two and three pixels
    means = [top_fraction_mean(levels, levels[0] >= 0, share).item() for share in shares]
    assert means == pytest.approx(list(shares.values()))


def test_a_steep_calibration_does_not_overflow() -> None:
    assert calibrate(np.array([[0.0], [1.0]]), (Calibration(slope=1e4),)).ravel() == pytest.approx([0, 1])


def test_dice_of_empty_masks() -> None:
    full, empty = ALL, ~ALL
    assert dice(empty, empty) == 1
    assert dice(full, empty) == dice(empty, full) == 0
    assert dice(full, full) == 1


def test_dice_of_areas_broadcasts() -> None:
    assert dice_of_areas([[1], [0]], 2, [0, 2]).tolist() == [[1.0, 0.5], [0.0, 0.0]]
