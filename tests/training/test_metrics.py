import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from nephoscope.training.callbacks import frozen_count
from nephoscope.training.metrics import PixelMetrics, PresenceMetrics
from tests.builders.training_runs import batch, planes


def truth_of(planes: torch.Tensor) -> torch.Tensor:
    return torch.stack([planes >> bit & 1 for bit in range(2)], 1).bool()


def test_perfect_maps_score_one() -> None:
    metrics = PixelMetrics()
    metrics.add(20.0 * (2 * truth_of(planes()).float() - 1), batch(planes()))
    assert metrics.scores() == {"dice": pytest.approx(1.0), "pr_auc": pytest.approx(1.0)}


def test_pixel_pr_auc_equals_scikit_learn_on_visible_pixels() -> None:
    logits = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(1))
    visible = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(2)) > 0.3
    metrics = PixelMetrics()
    metrics.add(logits, batch(planes(), visible))
    levels, truth = (logits.sigmoid() * 255).round(), truth_of(planes())
    expected = [average_precision_score(truth[:, c][visible].numpy(), levels[:, c][visible].numpy()) for c in range(2)]
    assert metrics.scores()["pr_auc"] == pytest.approx(np.mean(expected))


def test_attainable_dice_includes_empty_masks() -> None:
    metrics = PixelMetrics()
    metrics.add(torch.zeros(3, 2, 5, 7), batch(torch.zeros(3, 5, 7, dtype=torch.uint8)))
    assert metrics.scores()["dice"] == 1


def test_classes_absent_from_validation_are_left_out() -> None:
    metrics = PresenceMetrics()
    images = batch(planes())
    metrics.add(
        torch.tensor([[2.0, 0], [1, 0], [-1, 0]]), images._replace(presence=torch.tensor([[1.0, 0], [1, 0], [0, 0]]))
    )
    assert metrics.scores() == {"pr_auc": 1.0}


def test_layers_are_unfrozen_from_the_deepest() -> None:
    assert [frozen_count(10, epoch, frozen_epochs=2, steps=2) for epoch in range(5)] == [10, 10, 5, 0, 0]
    assert [frozen_count(9, epoch, frozen_epochs=1, steps=1) for epoch in range(3)] == [9, 0, 0]
