"""Averaged weights: an exponential moving average that is what validation sees and what is kept."""

from functools import partial

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Weights and batch statistics alike.

    Unlike Lightning's EMAWeightAveraging the average begins short and grows long, so that runs of few steps are not
    held back by their first weights, and the averaged weights stay in place until validation has wholly ended,
    where the best are kept.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=partial(average, decay=decay))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        if self._average_model is not None:
            self._average_model.to(pl_module.device)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Too early: the best weights are kept in on_validation_end."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_end(trainer, pl_module)


def average(averaged: Tensor, current: Tensor, count: Tensor | int, *, decay: float) -> Tensor:
    """The next average, after `count` earlier ones; counters (of batches) are taken over as they are."""
    if not averaged.is_floating_point():
        return current
    now = min(decay, (1 + int(count)) / (10 + int(count)))
    return torch.lerp(averaged, current, 1 - now)
