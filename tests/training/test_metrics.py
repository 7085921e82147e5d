import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from nephoscope.masks.dice import dice
from nephoscope.rules.presence import top_fraction_mean
from nephoscope.training.callbacks import frozen_count
from nephoscope.training.metrics import PixelMetrics, PresenceMetrics, level_histograms, top_means
from tests.builders.training_runs import batch, planes


def truth_of(planes: torch.Tensor) -> torch.Tensor:
    return torch.stack([planes >> bit & 1 for bit in range(2)], 1).bool()


def test_perfect_maps_score_one() -> None:
    metrics = PixelMetrics(0.1)
    metrics.add(20.0 * (2 * truth_of(planes()).float() - 1), batch(planes()))
    assert metrics.scores() == {"dice": pytest.approx(1.0), "pr_auc": pytest.approx(1.0)}


def test_pixel_pr_auc_equals_scikit_learn_on_visible_pixels() -> None:
    logits = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(1))
    visible = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(2)) > 0.3
    metrics = PixelMetrics(0.1)
    metrics.add(logits, batch(planes(), visible))
    levels, truth = (logits.sigmoid() * 255).round(), truth_of(planes())
    expected = [average_precision_score(truth[:, c][visible].numpy(), levels[:, c][visible].numpy()) for c in range(2)]
    assert metrics.scores()["pr_auc"] == pytest.approx(np.mean(expected))


def test_attainable_dice_includes_empty_masks() -> None:
    metrics = PixelMetrics(0.1)
    metrics.add(torch.zeros(3, 2, 5, 7), batch(torch.zeros(3, 5, 7, dtype=torch.uint8)))
    assert metrics.scores()["dice"] == 1


def brute_force_dice(levels: np.ndarray, truth: np.ndarray, means: np.ndarray) -> float:
    """Levels and truth (N×H×W), means (N) → the best mean Dice over all pairs of thresholds."""
    best = 0.0
    for presence_threshold in [*np.unique(means), np.inf]:
        for pixel_threshold in range(1, 256):
            masks = (levels >= pixel_threshold) & (means >= presence_threshold)[:, None, None]
            best = max(best, float(np.mean([dice(*pair) for pair in zip(truth, masks, strict=True)])))
    return best


@pytest.mark.parametrize("top_fraction", [0.05, 0.6])
def test_attainable_dice_is_that_of_the_best_thresholds_for_all_images(top_fraction: float) -> None:
    generator = torch.Generator().manual_seed(4)
    shown = planes(1)
    shown[2] = 0
    logits = torch.randn(3, 2, 5, 7, generator=generator).round(decimals=1)
    logits[2] = logits[1]  # the same presence: no threshold separates the two
    metrics = PixelMetrics(top_fraction)
    metrics.add(logits, batch(shown))
    levels, truth = np.uint8((logits.sigmoid() * 255).round().numpy()), truth_of(shown).numpy()
    everywhere = np.ones((5, 7), bool)
    means = np.stack([top_fraction_mean(image, everywhere, top_fraction) for image in levels])
    expected = np.mean([brute_force_dice(levels[:, c], truth[:, c], means[:, c]) for c in range(2)])
    assert metrics.scores()["dice"] == pytest.approx(expected)


def test_the_top_fraction_is_that_of_visible_pixels_as_in_prediction() -> None:
    logits = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(1))
    visible = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(2)) > 0.3
    histograms = level_histograms(logits, batch(planes(), visible)).sum(2)
    levels = np.uint8((logits.sigmoid() * 255).round().numpy())
    for top_fraction in (0.01, 0.1, 0.5, 1.0):
        expected = [top_fraction_mean(*pair, top_fraction) for pair in zip(levels, visible.numpy(), strict=True)]
        found = np.stack([top_means(histograms[:, c], top_fraction) for c in range(2)], axis=1)
        assert found / 255 == pytest.approx(np.stack(expected))


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
    assert [frozen_count(9, epoch, frozen_epochs=1, steps=2) for epoch in range(3)] == [9, 5, 0]
