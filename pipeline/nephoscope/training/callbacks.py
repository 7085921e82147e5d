"""What is kept while a network learns: its best weights, and a row of history per epoch."""

import dataclasses
import math
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from tqdm import tqdm

from nephoscope.files import atomic_write
from nephoscope.models.checkpoint import save_checkpoint
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.training.tasks import monitored_score


class SaveBest(Callback):
    """Writes the weights whenever validation has never been better. With averaged weights it sees the average, so it
    stands before their callback in the list: that one puts the plain weights back."""

    def __init__(self, path: Path, metadata: NetworkMetadata, monitor: str, *, begun: int) -> None:
        self.path, self.metadata, self.monitor, self.begun = path, metadata, monitor, begun
        self.best = float("-inf")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        score = monitored_score(trainer.callback_metrics, self.monitor)
        if not score > self.best:  # a score that is not known (NaN) beats nothing
            return
        self.best = score
        if trainer.is_global_zero:
            metadata = dataclasses.replace(self.metadata, epoch=self.begun + trainer.current_epoch, score=self.best)
            save_checkpoint(self.path, pl_module.network, metadata)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


class SaveState(TorchCheckpointIO):
    """A run killed while it saves keeps what it had before. Lightning writes into the system's folder for temporary
    files; from there to another disk a file is not moved but copied over the one that was good."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        with atomic_write(Path(path)) as unfinished:
            torch.save(checkpoint, unfinished)


class SaveMidway(ModelCheckpoint):
    """Saves in the middle of epochs, for a killed run to go on there. Not with the last batch: who goes on from there
    has no validation of that epoch, and the save at its end follows at once."""

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        if not trainer.is_last_batch:
            super().on_train_batch_end(trainer, *rest)


class History(Callback):
    """One row per epoch, written as it comes: a run in other processes leaves nothing else behind.

    How long an epoch took is told, and not written: the same run again gives the same file.
    """

    def __init__(self, path: Path, member: str, *, begun: int, epochs: int) -> None:
        """`epochs` more after those that have `begun`."""
        self.path, self.member, self.begun, self.epochs = path, member, begun, epochs
        self.rows: list[dict[str, Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        # A run that goes on in the middle of an epoch does not start that epoch again.
        self.started = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        rates = {f"{group['name']}_rate": group["lr"] for group in trainer.optimizers[0].param_groups}
        epoch = self.begun + trainer.current_epoch
        self.rows.append({"member": self.member, "epoch": epoch, **metrics, **rates})
        if trainer.is_global_zero:
            with atomic_write(self.path) as unfinished:
                pd.DataFrame(self.rows).to_csv(unfinished, index=False)
            self._tell(epoch, metrics)

    def _tell(self, epoch: int, metrics: dict[str, float]) -> None:
        figures = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        counted = f"{self.member}  epoch {epoch + 1}/{self.begun + self.epochs}"
        seconds = time.monotonic() - self.started
        tqdm.write(f"{counted}  {figures}  {seconds:.0f} s", file=sys.stderr)  # beside a bar, not through it

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


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
