"""EMA: an exponential moving average of the weights, which is validated and saved."""

from functools import partial

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

Tensors = tuple[Tensor, ...] | list[Tensor]


class ExponentialMovingAverage(WeightAveraging):
    """Average weights and batch statistics.

    It differs from Lightning's EMAWeightAveraging in two ways. The averaging window grows with the number of steps, so
    that the first weights do not dominate short runs. The averaged weights stay in place until `on_validation_end`,
    where the best are saved.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=partial(average, decay=decay))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        if self._average_model is not None:
            self._average_model.to(pl_module.device)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do not restore the plain weights yet: `SaveBest` saves in on_validation_end."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_end(trainer, pl_module)


def average(averaged: Tensors, current: Tensors, count: Tensor | int, *, decay: float) -> None:
    """Update the averages of several tensors in place, after `count` earlier updates. Integer tensors are copied.

    All tensors at once, because reading the count waits for the GPU.
    """
    if not averaged[0].is_floating_point():
        torch._foreach_copy_(averaged, current)
        return
    steps = int(count)
    torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))
