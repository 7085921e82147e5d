"""Warm start: the encoder rests while the decoder learns, then wakes in steps, deepest layers first."""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn


class Unfreezing(Callback):
    """Frozen layers have no gradient, no optimiser step and no new batch statistics."""

    def __init__(self, frozen_epochs: int, steps: int) -> None:
        self.frozen_epochs, self.steps = frozen_epochs, steps
        self.frozen: list[nn.Module] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A run that goes on in the middle of an epoch does not start that epoch again.
        self._freeze(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._freeze(trainer, pl_module)

    def on_before_optimizer_step(self, *_: Any) -> None:
        # Among several processes the gradients are computed all the same, since all expect each other's; they are
        # dropped before any optimiser sees them.
        for layer in self.frozen:
            for weight in layer.parameters(recurse=False):
                weight.grad = None

    def _freeze(self, trainer: Trainer, pl_module: LightningModule) -> None:
        layers = pl_module.network.encoder_layers()  # type: ignore[operator,union-attr]
        count = frozen_count(len(layers), trainer.current_epoch, self.frozen_epochs, self.steps)
        self.frozen = layers[:count]
        for part in pl_module.network.encoder.modules():  # type: ignore[union-attr]
            # What drops at random rests with the whole encoder.
            part.training = count < len(layers)
        for place, layer in enumerate(layers):
            layer.training = place >= count
            if trainer.world_size == 1:
                for weight in layer.parameters(recurse=False):
                    weight.requires_grad_(place >= count)


def frozen_count(layers: int, epoch: int, frozen_epochs: int, steps: int) -> int:
    """How many layers, counted from the shallowest, rest in this epoch.

    >>> [frozen_count(10, epoch, 2, 2) for epoch in range(5)]
    [10, 10, 5, 0, 0]
    """
    awake = max(0, epoch - frozen_epochs + 1)
    return math.ceil(layers * max(0, steps - awake) / steps)
