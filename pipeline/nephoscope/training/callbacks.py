"""Callbacks of Lightning: save the best weights, the state to resume from and the history; unfreeze the encoder."""

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
    """Save the weights after every epoch whose validation score is the best so far.

    Put it before the callback that averages weights: that one restores the plain weights at the end of validation.
    """

    def __init__(self, path: Path, metadata: NetworkMetadata, monitor: str, *, epochs_before: int) -> None:
        self.path, self.metadata, self.monitor, self.epochs_before = path, metadata, monitor, epochs_before
        self.best = float("-inf")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        score = monitored_score(trainer.callback_metrics, self.monitor)
        if not score > self.best:  # written so that NaN is never the best
            return
        self.best = score
        if trainer.is_global_zero:
            metadata = dataclasses.replace(
                self.metadata, epoch=self.epochs_before + trainer.current_epoch, score=self.best
            )
            save_checkpoint(self.path, pl_module.network, metadata)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


class SaveState(TorchCheckpointIO):
    """Save the state to resume from atomically.

    Lightning saves through the system's temporary folder. If that is on another disk, it overwrites the old file
    slowly, and a run killed meanwhile loses both.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        with atomic_write(Path(path)) as unfinished:
            torch.save(checkpoint, unfinished)


class SaveMidway(ModelCheckpoint):
    """Save the state in the middle of epochs, but not after the last batch.

    A run resumed after the last batch would miss the validation of that epoch, and the next save follows at once.
    """

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        if not trainer.is_last_batch:
            super().on_train_batch_end(trainer, *rest)


class History(Callback):
    """Write one row per epoch to a CSV file, and print it.

    The duration is printed but not written, so that the same run gives the same file.
    """

    def __init__(self, path: Path, member: str, *, epochs_before: int, epochs: int) -> None:
        """This phase has `epochs` epochs, after `epochs_before` of earlier phases."""
        self.path, self.member, self.epochs_before, self.epochs = path, member, epochs_before, epochs
        self.rows: list[dict[str, Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        # A run resumed in the middle of an epoch does not call on_train_epoch_start for it.
        self.started = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        rates = {f"{group['name']}_rate": group["lr"] for group in trainer.optimizers[0].param_groups}
        epoch = self.epochs_before + trainer.current_epoch
        self.rows.append({"member": self.member, "epoch": epoch, **metrics, **rates})
        if trainer.is_global_zero:
            with atomic_write(self.path) as unfinished:
                pd.DataFrame(self.rows).to_csv(unfinished, index=False)
            self._print(epoch, metrics)

    def _print(self, epoch: int, metrics: dict[str, float]) -> None:
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        title = f"{self.member}  epoch {epoch + 1}/{self.epochs_before + self.epochs}"
        seconds = time.monotonic() - self.started
        tqdm.write(f"{title}  {values}  {seconds:.0f} s", file=sys.stderr)  # tqdm.write does not break a progress bar

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


class Unfreezing(Callback):
    """Freeze the encoder, then unfreeze it in steps, the deepest layers first.

    Frozen layers have no gradient, no optimiser step and no new batch statistics.
    """

    def __init__(self, frozen_epochs: int, steps: int) -> None:
        self.frozen_epochs, self.steps = frozen_epochs, steps
        self.frozen: list[nn.Module] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A run resumed in the middle of an epoch does not call on_train_epoch_start for it.
        self._freeze(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._freeze(trainer, pl_module)

    def on_before_optimizer_step(self, *_: Any) -> None:
        # With several processes, gradients of frozen layers are still computed, because the processes exchange them.
        # They are removed before the optimiser's step.
        for layer in self.frozen:
            for weight in layer.parameters(recurse=False):
                weight.grad = None

    def _freeze(self, trainer: Trainer, pl_module: LightningModule) -> None:
        layers = pl_module.network.encoder_layers()  # type: ignore[operator,union-attr]
        count = frozen_count(len(layers), trainer.current_epoch, self.frozen_epochs, self.steps)
        self.frozen = layers[:count]
        for part in pl_module.network.encoder.modules():  # type: ignore[union-attr]
            # Dropout is off only while the whole encoder is frozen.
            part.training = count < len(layers)
        for index, layer in enumerate(layers):
            layer.training = index >= count
            if trainer.world_size == 1:
                for weight in layer.parameters(recurse=False):
                    weight.requires_grad_(index >= count)


def frozen_count(layers: int, epoch: int, frozen_epochs: int, steps: int) -> int:
    """Number of frozen layers in an epoch, counted from the first layer of the encoder.

    >>> [frozen_count(10, epoch, 2, 2) for epoch in range(5)]
    [10, 10, 5, 0, 0]
    """
    unfreezing_epochs = max(0, epoch - frozen_epochs + 1)
    return math.ceil(layers * max(0, steps - unfreezing_epochs) / steps)
