"""Dice against segmentation-models-pytorch and torchmetrics."""

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torchmetrics.functional.classification import binary_f1_score

from nephoscope.evaluation.scores import score_images
from nephoscope.masks.dice import dice, dice_of_areas
from nephoscope.rules.decide import apply_rules
from tests.builders.example_rules import rule, rules
from tests.builders.tuning_pictures import draw_pictures


def dices_by_smp(truths: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """N×C; both empty: 1."""
    pair = (torch.from_numpy(masks.astype(np.int64)) for masks in (predicted, truths))
    counts = smp.metrics.get_stats(*pair, mode="multilabel")
    return np.asarray(smp.metrics.f1_score(*counts, reduction="none", zero_division=1.0))


@pytest.fixture(scope="module")
def masks() -> tuple[np.ndarray, np.ndarray]:
    """Truths and predictions (N×C×H×W) of any density, many of them empty."""
    rng = np.random.default_rng(0)
    density = rng.choice([0, 0, 0.05, 0.5, 1], (2, 60, 3, 1, 1))
    truths, predicted = rng.random((2, 60, 3, 7, 9)) < density
    return truths, predicted


def test_dice_is_that_of_smp_and_torchmetrics(masks: tuple[np.ndarray, np.ndarray]) -> None:
    truths, predicted = masks
    pairs = [(truth, mask) for image in zip(truths, predicted, strict=True) for truth, mask in zip(*image, strict=True)]
    ours = np.array([dice(*pair) for pair in pairs])
    assert ours == pytest.approx(dices_by_smp(*masks).ravel(), abs=1e-6)
    for value, (truth, mask) in zip(ours, pairs, strict=True):
        theirs = binary_f1_score(torch.from_numpy(mask), torch.from_numpy(truth), zero_division=1)
        assert value == pytest.approx(float(theirs), abs=1e-6)
    assert {0.0, 1.0} < set(ours)


def test_dice_of_areas_is_that_of_smp(masks: tuple[np.ndarray, np.ndarray]) -> None:
    truths, predicted = masks
    areas = ((truths & predicted).sum((2, 3)), truths.sum((2, 3)), predicted.sum((2, 3)))
    assert dice_of_areas(*areas) == pytest.approx(dices_by_smp(*masks), abs=1e-6)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_evaluated_images_have_the_dice_of_smp(power: float) -> None:
    labelled = draw_pictures(2, count=40, classes=2)
    some = rules(
        classes=labelled.classes,
        output_shape=labelled.output_shape,
        adaptive_power=power,
        rules=(rule(), rule(pixel_threshold=200, min_area=3)),
    )
    predicted = apply_rules(some, labelled.maps, labelled.raw.classifier, visible=labelled.visible)
    assert score_images(labelled, some).dices == pytest.approx(dices_by_smp(labelled.truths, predicted), abs=1e-6)
