"""Engines are compared by their largest difference; the card counts the images that rules were tuned on."""

import numpy as np
import pandas as pd
import pytest

from nephoscope.bundle.card import describe_for_hubs, write_card
from nephoscope.bundle.export import compare
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.evaluation.calibration import CALIBRATED, EVERY_CLASS
from nephoscope.evaluation.tables import EMPTY, OURS
from nephoscope.inference.ensemble import Ensemble
from nephoscope.rules.rules import InferenceSettings
from tests.builders.example_rules import rules
from tests.builders.scenes import CACHE_SHAPE, METADATA

TABLES = {
    "dice": pd.DataFrame(columns=["class_name", "reference", "dice", "low", "high"]),
    "presence": pd.DataFrame(columns=["class_name", "precision", "recall", "average_precision"]),
    "brier": pd.DataFrame(columns=["source", "class_name", "brier", "low", "high", "calibration_error"]),
    "confidence_levels": pd.DataFrame(columns=["class_name", "confidence_label", "share", "wrong_share"]),
}


class Fixed:
    """The same probabilities for any image."""

    input_shape, description = CACHE_SHAPE, "fixed"

    def __init__(self, probabilities: np.ndarray) -> None:
        self.probabilities = probabilities.astype(np.float32)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.stack([self.probabilities] * len(images))


def test_a_single_pixel_and_a_single_class_count_in_full() -> None:
    presence, maps = np.array([0.5, 0.5]), np.full((2, *CACHE_SHAPE), 0.5)
    other_presence, other_maps = presence.copy(), maps.copy()
    other_presence[1], other_maps[0, 3, 4] = 0.75, 0.1
    model, other = (
        Ensemble(METADATA, [Fixed(first)], [Fixed(second)], InferenceSettings())
        for first, second in ((presence, maps), (other_presence, other_maps))
    )
    agreement = compare(model, other, np.zeros((3, *CACHE_SHAPE, 3), np.uint8))
    assert agreement.presence == pytest.approx(0.25)
    assert agreement.pixels == pytest.approx(0.4)
    assert agreement.level_share == pytest.approx(1 - 1 / (2 * CACHE_SHAPE[0] * CACHE_SHAPE[1]))
    assert agreement.pictures == 3


def test_the_card_counts_the_images_that_rules_were_tuned_on() -> None:
    metadata = Metadata("clouds", ("a", "b"), (4, 4), (4, 4), (4, 4), folds=2)
    images = pd.DataFrame({
        "image_id": [f"{row}.jpg" for row in range(9)], "split": ["train"] * 7 + ["holdout"] * 2,
        "fold": [0, 1, 0, 1, 0, -1, -1, -1, -1], "area_a": 0.1, "area_b": 0.0,
    })  # fmt: skip
    card = write_card([], Manifest(metadata, images), rules(), "", TABLES)
    assert "Cross-validation with 2 folds (5 images)" in card


def test_hubs_read_our_dice_and_not_that_of_a_reference() -> None:
    dice = pd.DataFrame({"class_name": "mean", "reference": [EMPTY, OURS], "dice": [0.4, 0.6]})
    brier = pd.DataFrame({"class_name": EVERY_CLASS, "source": ["raw", CALIBRATED], "brier": [0.3, 0.2]})
    text = describe_for_hubs(METADATA, rules(), "", {"dice": dice, "brier": brier})
    assert "type: dice\n      value: 0.6\n" in text
    assert "type: brier_score\n      value: 0.2\n" in text
