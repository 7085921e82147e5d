"""What nobody saw has no part in presence, and is in no mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.rules.decide import decide_masks, decide_pixels
from nephoscope.rules.presence import PresenceDecision, RawPresences, decide_presence, top_fraction_mean
from tests.builders.example_rules import rule, rules


def test_the_top_fraction_is_one_of_the_visible_pixels() -> None:
    levels, visible = np.full((1, 10, 10), 100, np.uint8), np.zeros((10, 10), bool)
    visible[:2] = True
    levels[0, 0, :2] = 200  # a tenth of the twenty pixels that were seen
    levels[0, 5:] = 255
    assert top_fraction_mean(levels, visible, 0.1) == pytest.approx([200 / 255])
    assert top_fraction_mean(levels, visible, 0.2) == pytest.approx([150 / 255])


@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.5]))
def test_rows_of_a_scene_are_decided_as_an_image_is(seed: int, power: float) -> None:
    rng = np.random.default_rng(seed)
    levels, visible = rng.integers(0, 256, (2, 5, 7)).astype(np.uint8), rng.random((5, 7)) > 0.3
    raw = RawPresences(rng.choice([0.25, 0.5, 0.75], (1, 2)), rng.random((1, 2)))
    decided_by = rules(classifier_weight=1, adaptive_power=power, rules=(rule(), rule(pixel_threshold=30)))
    decision = decide_presence(raw, decided_by)
    expected = decide_masks(decision.compared[0], raw.top_mean[0], levels, visible, decided_by)
    numbers = (values[0][:, None, None] for values in (decision.margins(decided_by), raw.top_mean))
    masks = decide_pixels(*numbers, levels, visible, decided_by)
    assert (masks == expected).all()
    assert not masks[:, ~visible].any()


def test_presence_at_its_threshold_has_a_mask_and_is_present() -> None:
    raw = RawPresences(np.array([[0.5, 0.49]]), np.zeros((1, 2)))
    decision = decide_presence(raw, rules(classifier_weight=1))
    assert decision.present.tolist() == [[True, False]]
    levels = np.full((2, 4, 4), 200, np.uint8)
    masks = decide_masks(decision.compared[0], raw.top_mean[0], levels, np.ones((4, 4), bool), rules())
    assert masks.any(axis=(1, 2)).tolist() == [True, False]


def test_a_decision_against_the_probability_is_not_confident() -> None:
    """Rules that maximise Dice may reject a class of 80 %: then the decision is right in 20 % of cases."""
    probability = np.array([[0.8, 0.3]])
    decision = PresenceDecision(probability, probability, np.array([[False, True]]))
    assert decision.confidence == pytest.approx(np.array([[0.2, 0.3]]))
    assert decision.unsure.all()
