"""The two tasks, as Lightning sees them: how a batch becomes a loss, and what validation reports."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nephoscope.errors import UserError
from nephoscope.models.losses import LossSettings, build_loss
from nephoscope.models.network import Network
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training.depthwise import QuickDepthwise
from nephoscope.training.loaders import Batch, ResumableLoader
from nephoscope.training.metrics import PixelMetrics, PresenceMetrics, ValidationMetrics, unpack
from nephoscope.training.optimisers import build_optimiser, build_schedule

Settings = TypeVar("Settings", TrainClassifier, TrainSegmenter)


class Task(LightningModule, Generic[Settings]):
    """A network, the loss it goes down, and the scores that choose its epoch."""

    metrics_type: ClassVar[type[ValidationMetrics]]

    def __init__(self, network: Network, params: Settings, positive_shares: Tensor, seed: int) -> None:
        super().__init__()
        self.network, self.positive_shares, self.seed = network, positive_shares, seed
        self.params: Settings = params
        self.plateau: ReduceLROnPlateau | None = None
        self.resumed: dict[str, Any] = {}

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning passes it by name
        # Not earlier: a task is pickled on its way into another process, and a function made here cannot be.
        self.loss = build_loss(self.params.loss, LossSettings(self.positive_shares, self.params.label_smoothing))

    @abstractmethod
    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        """Logits against the truth of the batch → loss."""

    def training_step(self, batch: Batch, _: int) -> Tensor:
        # Dropout as a function of the step alone: on a CPU a run that goes on after a kill ends with the same weights.
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * self.trainer.world_size + self.global_rank)
        with QuickDepthwise():
            loss = self.compare(self.network(batch.images), batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.images))
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002 - Lightning passes it by name
    ) -> None:
        # In bf16 Lightning refuses to clip for fused optimisers, as fp16 would want it; bf16 scales no gradients.
        if gradient_clip_val:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            clip_grad_norm_(weights, gradient_clip_val)

    def on_validation_epoch_start(self) -> None:
        self.judge = self.metrics_type()

    def validation_step(self, batch: Batch, _: int) -> None:
        logits = self.network(batch.images)
        if logits.isnan().any():
            raise UserError("the network answers NaN; train with a smaller encoder_rate and decoder_rate, or in fp32")
        self.judge.add(logits, batch)
        loss = self.compare(logits, batch)
        self.log("validation_loss", loss, on_epoch=True, sync_dist=True, batch_size=len(batch.images))

    def on_validation_epoch_end(self) -> None:
        scores = self.judge.scores()
        self.log_dict({f"validation_{name}": score for name, score in scores.items()}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        inside = {id(weight) for weight in self.network.parameters()}
        beside = [weight for weight in self.parameters() if id(weight) not in inside]
        optimiser = build_optimiser(self.network, self.params.optimiser, beside)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = build_schedule(optimiser, self.params.optimiser, steps)
        if schedule is None:
            return optimiser
        if isinstance(schedule, ReduceLROnPlateau):
            self.plateau = schedule
            return optimiser
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def _train_loader(self) -> ResumableLoader:
        return cast(ResumableLoader, self.trainer.train_dataloader)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Lightning would put the loader back only where nobody asked for the number of steps before.
        checkpoint["loader"] = self._train_loader.state_dict()
        # Lightning steps this schedule only after it has saved, so a run that goes on would miss a step.
        checkpoint["plateau"] = self.plateau.state_dict() if self.plateau is not None else None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.resumed = checkpoint

    def on_train_start(self) -> None:
        if self.resumed:
            self._train_loader.load_state_dict(self.resumed["loader"])
        if self.resumed and self.plateau is not None:
            self.plateau.load_state_dict(self.resumed["plateau"])
        self.resumed = {}

    def on_train_epoch_end(self) -> None:
        if self.plateau is not None:
            self.plateau.step(monitored_score(self.trainer.callback_metrics, self.params.monitor))


class ClassifierTask(Task[TrainClassifier]):
    metrics_type = PresenceMetrics

    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        counted = torch.ones_like(batch.presence, dtype=torch.bool)
        loss: Tensor = self.loss(logits, batch.presence, counted)
        return loss


class SegmenterTask(Task[TrainSegmenter]):
    metrics_type = PixelMetrics

    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        truth = unpack(batch.planes, logits.shape[1])
        counted = batch.visible[:, None].expand_as(truth)
        if self.params.pictures == "positives":
            counted = counted & truth.any(dim=(2, 3), keepdim=True)
        loss: Tensor = self.loss(logits, truth, counted)
        return loss


def monitored_score(metrics: Any, monitor: str) -> float:
    """What chooses the epoch, higher is better; NaN where validation could not tell."""
    value = float(metrics[f"validation_{monitor}"])
    return -value if monitor == "loss" else value
