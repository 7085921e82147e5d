import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional import classification as oracles

from nephoscope.models.losses import LOSSES, LossSettings, build_loss

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


def test_cce_is_softmax_cross_entropy_with_a_background() -> None:
    logits, _, counted = scene()
    classes = torch.randint(0, 3, (2, 6, 8), generator=torch.Generator().manual_seed(3))  # 0: no class
    truth = functional.one_hot(classes, 3).movedim(-1, 1)[:, 1:].bool()
    everything = torch.cat([torch.zeros(2, 1, 6, 8), logits], dim=1)
    expected = functional.cross_entropy(everything[..., :4], classes[..., :4])
    assert build_loss({"cce": 1.0})(logits, truth, counted).item() == pytest.approx(expected.item())


def test_classes_that_overlap_share_a_pixel_in_cce() -> None:
    logits = torch.tensor([1.0, -0.5]).view(1, 2, 1, 1)
    expected = functional.cross_entropy(torch.tensor([[0, 1.0, -0.5]]), torch.tensor([[0, 0.5, 0.5]]))
    counted = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    assert build_loss({"cce": 1.0})(logits, torch.ones(1, 2, 1, 1), counted).item() == pytest.approx(expected.item())


def test_cce_of_a_single_class_is_binary_cross_entropy() -> None:
    """So images that show one class teach it, also with `pictures: positives`."""
    logits, truth, _ = scene()
    counted = torch.tensor([True, False]).view(1, 2, 1, 1).expand(2, 2, 1, 1)
    loss = build_loss({"cce": 1.0})(logits, truth, counted)
    expected = functional.binary_cross_entropy_with_logits(logits[:, 0], truth[:, 0].float())
    assert loss.item() == pytest.approx(expected.item())


def test_cce_lowers_the_probabilities_where_no_class_is() -> None:
    logits = torch.zeros(1, 2, 3, 3, requires_grad=True)
    build_loss({"cce": 1.0})(logits, torch.zeros(1, 2, 3, 3), torch.ones(1, 1, 3, 3, dtype=torch.bool)).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_focal_equals_that_of_smp() -> None:
    logits, truth, _ = scene()
    everywhere = torch.ones(2, 1, 6, 8, dtype=torch.bool)
    expected = smp.losses.FocalLoss("multilabel", gamma=2.0)(logits, truth.float())
    assert build_loss({"focal": 1.0})(logits, truth, everywhere).item() == pytest.approx(expected.item())


def decided() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Masks of the visible left half, their truth, and logits that are sure of the masks."""
    logits, truth, counted = scene()
    masks = logits.detach() > 0
    return masks[..., :4].int(), truth[..., :4].int(), 40.0 * (2 * masks.float() - 1), counted


def test_dice_and_jaccard_equal_those_of_torchmetrics_on_visible_masks() -> None:
    masks, truth, logits, counted = decided()
    full_truth = torch.cat([truth, torch.ones_like(truth)], dim=-1)
    for name, oracle in (("dice", oracles.multilabel_f1_score), ("jaccard", oracles.multilabel_jaccard_index)):
        expected = 1 - oracle(masks, truth, num_labels=2, average="macro")
        assert build_loss({name: 1.0})(logits, full_truth, counted).item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_missed_pixel_costs_more_than_a_false_alarm_in_tversky() -> None:
    masks, truth, logits, counted = decided()
    full_truth = torch.cat([truth, torch.ones_like(truth)], dim=-1)
    hits, false, _, missed, _ = oracles.multilabel_stat_scores(masks, truth, num_labels=2, average="none").T
    expected = 1 - (hits / (hits + 0.3 * false + 0.7 * missed)).mean()
    loss = build_loss({"tversky": 1.0})(logits, full_truth, counted)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_lovasz_is_the_jaccard_index_of_all_classes_together() -> None:
    masks, truth, logits, counted = decided()
    full_truth = torch.cat([truth, torch.ones_like(truth)], dim=-1)
    # At logits of 1 and -1, the hinge of every wrong pixel is 2.
    expected = 2 * (1 - oracles.binary_jaccard_index(masks, truth))
    loss = build_loss({"lovasz": 1.0})(logits / 40, full_truth, counted)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_some_region_losses_teach_nothing_about_a_class_absent_from_the_batch(name: str) -> None:
    logits, truth, counted = scene()
    truth[:, 1] = False
    build_loss({name: 1.0}, SETTINGS)(logits, truth, counted).backward()
    assert logits.grad is not None
    teaches = bool((logits.grad[:, 1] != 0).any())
    assert teaches is (name not in ("dice", "jaccard", "tversky"))


def test_the_weight_of_a_rare_class_is_bounded() -> None:
    loss = build_loss({"weighted_bce": 1.0}, LossSettings(torch.tensor([1e-4, 1.0])))
    logits, counted = torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool)
    assert loss(logits, torch.ones(1, 2), counted).item() == pytest.approx((20 + 1 / 20) / 2 * 0.6931472)
