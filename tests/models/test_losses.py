import pytest
import torch
from torch import Tensor

from nephoscope.errors import UserError
from nephoscope.models.losses import LOSSES, LossSettings, build_loss, refuse_region_losses

SETTINGS = LossSettings(torch.tensor([0.2, 0.5]))


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Logits, truth and counted pixels of two images whose right half is invisible."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 6, 8, generator=generator, requires_grad=True)
    truth = torch.rand(2, 2, 6, 8, generator=generator) > 0.5
    counted = torch.ones(2, 1, 6, 8, dtype=torch.bool)
    counted[..., 4:] = False
    return logits, truth, counted


@pytest.mark.parametrize("name", LOSSES)
def test_invisible_pixels_have_no_gradient(name: str) -> None:
    logits, truth, counted = scene()
    build_loss({name: 1.0}, SETTINGS)(logits, truth, counted).backward()
    assert logits.grad is not None
    assert (logits.grad[..., 4:] == 0).all()
    assert (logits.grad[..., :4] != 0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_values_of_invisible_pixels_do_not_change_the_loss(name: str) -> None:
    logits, truth, counted = scene()
    loss = build_loss({name: 1.0}, SETTINGS)
    other = truth.clone()
    other[..., 4:] = ~other[..., 4:]
    assert loss(logits, truth, counted).item() == loss(logits, other, counted).item()


@pytest.mark.parametrize("name", LOSSES)
def test_the_truth_has_a_lower_loss_than_its_opposite(name: str) -> None:
    _, truth, counted = scene()
    loss = build_loss({name: 1.0}, SETTINGS)
    right, wrong = (20.0 * (2 * masks.float() - 1) for masks in (truth, ~truth))
    assert loss(right, truth, counted) < loss(wrong, truth, counted)


def test_the_loss_is_a_weighted_sum() -> None:
    logits, truth, counted = scene()
    bce, dice = (build_loss({name: 1.0})(logits, truth, counted).item() for name in ("bce", "dice"))
    both = build_loss({"bce": 0.75, "dice": 0.25})(logits, truth, counted).item()
    assert both == pytest.approx(0.75 * bce + 0.25 * dice)


def test_bce_averages_over_visible_pixels() -> None:
    logits, truth, counted = scene()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[..., :4], truth[..., :4].float())
    assert build_loss({"bce": 1.0})(logits, truth, counted).item() == pytest.approx(expected.item())


def test_weighted_bce_balances_positives_and_negatives() -> None:
    logits, truth = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    loss = build_loss({"weighted_bce": 1.0}, LossSettings(torch.tensor([0.2, 0.5])))
    # log 2 for each; the positive of the class with a share of 0.2 weighs 0.8 / 0.2.
    assert loss(logits, truth, torch.ones(1, 2, dtype=torch.bool)).item() == pytest.approx((4 + 1) / 2 * 0.6931472)


def test_smoothed_labels_stay_inside_0_and_1() -> None:
    loss = build_loss({"bce": 1.0}, LossSettings(label_smoothing=0.2))
    logits = torch.tensor([[2.0]], requires_grad=True)
    loss(logits, torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool)).backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item() - 0.9, abs=1e-6)


def test_pixels_without_a_class_add_nothing_to_cce() -> None:
    logits = torch.zeros(1, 2, 1, 2)
    truth = torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]]]])
    counted = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    assert build_loss({"cce": 1.0})(logits, truth, counted).item() == pytest.approx(0.6931472 / 2)


def test_a_classifier_cannot_use_region_losses() -> None:
    with pytest.raises(UserError, match=r"dice compare.*a classifier can use bce, weighted_bce, focal"):
        refuse_region_losses({"bce": 0.5, "dice": 0.5})
