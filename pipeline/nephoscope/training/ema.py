"""Averaged weights: an exponential moving average that is what validation sees and what is kept."""

from functools import partial

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

Tensors = tuple[Tensor, ...] | list[Tensor]


class ExponentialMovingAverage(WeightAveraging):
    """Weights and batch statistics alike.

    Unlike Lightning's EMAWeightAveraging the average begins short and grows long, so that runs of few steps are not
    held back by their first weights, and the averaged weights stay in place until validation has wholly ended,
    where the best are kept.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=partial(average, decay=decay))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        if self._average_model is not None:
            self._average_model.to(pl_module.device)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Too early: the best weights are kept in on_validation_end."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_end(trainer, pl_module)


def average(averaged: Tensors, current: Tensors, count: Tensor | int, *, decay: float) -> None:
    """The next averages, after `count` earlier ones, of tensors of one kind; counters (of batches) are taken over.

    All at once: to read the count is to wait for the GPU.
    """
    if not averaged[0].is_floating_point():
        torch._foreach_copy_(averaged, current)
        return
    steps = int(count)
    torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))
