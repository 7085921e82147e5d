"""Losses: pointwise losses average over pixels, region losses compare areas, and a loss is a weighted sum of both.

Some pixels do not count: invisible ones and, with `pictures: positives`, classes that an image does not show. They get
logits of "surely absent" and a truth of 0, so their gradient is exactly zero.

Dice, Jaccard and Tversky compare areas class by class, and average over the classes. They are zero for a class that is
absent from the batch, so nothing lowers its probabilities. Keep a pointwise term beside them. Lovász is a hinge on the
Jaccard index of all classes and images of the batch together, so it also lowers the probabilities of absent classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor
from torch.nn import functional

from nephoscope.settings.training import LossName

SURELY_ABSENT = -1e4
"""logit"""
LARGEST_WEIGHT = 20.0
FOCUS = 2.0
"""exponent of the focal loss"""
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""logits, truth (0 to 1), counted (bool): N×C×H×W each, or N×C; counted may be N×1×H×W or N×C×1×1 → scalar."""


@dataclass(frozen=True)
class LossSettings:
    positive_shares: Tensor | None = None
    """C: share of positives of each class, for weighted_bce"""
    label_smoothing: float = 0.0
    """For pointwise losses only: region losses need to know whether a class is present."""


def _bce(settings: LossSettings, positive_weights: Tensor | None = None) -> Loss:
    def loss(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        truth = _smooth(truth, settings.label_smoothing)
        weights = None if positive_weights is None else positive_weights.to(logits.device)
        losses = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=weights, reduction="none")
        return _mean(losses, counted)

    return loss


def _weighted_bce(settings: LossSettings) -> Loss:
    """Binary cross-entropy in which the positives of a class weigh as much as its negatives."""
    if settings.positive_shares is None:
        raise ValueError("weighted_bce needs the share of positives of every class")
    shares = settings.positive_shares
    weights = ((1 - shares) / shares.clamp(min=1e-6)).clamp(1 / LARGEST_WEIGHT, LARGEST_WEIGHT)
    return lambda logits, truth, counted: _bce(settings, weights.view(-1, *[1] * (logits.ndim - 2)))(
        logits, truth, counted
    )


def _cce(_: LossSettings) -> Loss:
    """Softmax cross-entropy over the classes and a background, whose logit is 0. Overlapping classes share a pixel.

    With a single class, this is binary cross-entropy of the sigmoid.
    """

    def loss(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        shares = truth / truth.sum(1, keepdim=True).clamp(min=1)
        background = torch.zeros_like(logits[:, :1])
        normaliser = torch.cat([background, logits], dim=1).logsumexp(dim=1, keepdim=True)
        # What the classes leave of a pixel is background, whose term is 0.
        losses = normaliser - (shares * logits).sum(1, keepdim=True)
        return _mean(losses, counted.any(1, keepdim=True))

    return loss


def _focal(settings: LossSettings) -> Loss:
    def loss(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        truth = _smooth(truth, settings.label_smoothing)
        losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        return _mean((1 - torch.exp(-losses)) ** FOCUS * losses, counted)

    return loss


def _region(region: Any, **settings: Any) -> Callable[[LossSettings], Loss]:
    def build(_: LossSettings) -> Loss:
        compare = region("multilabel", **settings)

        def loss(logits: Tensor, truth: Tensor, _: Tensor) -> Tensor:
            value: Tensor = compare(logits, truth)
            return value

        return loss

    return build


BuildLoss = Callable[[LossSettings], Loss]
LOSSES: dict[LossName, BuildLoss] = {
    "bce": _bce,
    "weighted_bce": _weighted_bce,
    "focal": _focal,
    "cce": _cce,
    "dice": _region(smp.losses.DiceLoss),
    "jaccard": _region(smp.losses.JaccardLoss),
    # A missed pixel costs more than a false alarm.
    "tversky": _region(smp.losses.TverskyLoss, alpha=0.3, beta=0.7),
    "lovasz": _region(smp.losses.LovaszLoss),
}


def build_loss(weights: Mapping[LossName, float], settings: LossSettings | None = None) -> Loss:
    """{name: weight} → the weighted sum of these losses, always in float32.

    >>> loss = build_loss({"bce": 0.75, "dice": 0.25})
    """
    parts = [(weight, LOSSES[name](settings or LossSettings())) for name, weight in weights.items()]

    def loss(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        ignored = ~counted.expand_as(logits)
        filled = logits.float().masked_fill(ignored, SURELY_ABSENT)
        cleared = truth.float().masked_fill(ignored, 0)
        return torch.stack([weight * part(filled, cleared, ~ignored) for weight, part in parts]).sum()

    return loss


def _smooth(truth: Tensor, smoothing: float) -> Tensor:
    return truth * (1 - smoothing) + 0.5 * smoothing


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    return (losses * counted).sum() / counted.sum().clamp(min=1)
