"""The two training tasks for Lightning: the loss of a batch, and the metrics of validation."""

from abc import abstractmethod
from typing import Any, Generic, TypeVar, cast

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
    """A network, its loss, and the metrics that choose its epoch."""

    def __init__(self, network: Network, params: Settings, positive_shares: Tensor, seed: int) -> None:
        super().__init__()
        self.network, self.positive_shares, self.seed = network, positive_shares, seed
        self.params: Settings = params
        self.plateau: ReduceLROnPlateau | None = None
        self.resumed: dict[str, Any] = {}
        self.train_losses = torch.zeros(2)
        """Sum of the losses of this epoch's images so far, and their number."""

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning passes it by name
        # Not in __init__: a task is pickled for other processes, and local functions cannot be pickled.
        self.loss = build_loss(self.params.loss, LossSettings(self.positive_shares, self.params.label_smoothing))

    @abstractmethod
    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        """Logits and the truth of the batch → loss."""

    @abstractmethod
    def new_metrics(self) -> ValidationMetrics:
        """The metrics of one validation run."""

    def on_train_epoch_start(self) -> None:
        self.train_losses = torch.zeros(2, device=self.device)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        # Dropout depends on the step only, so that on a CPU a resumed run ends with the same weights.
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * self.trainer.world_size + self.global_rank)
        with QuickDepthwise():
            loss = self.compare(self.network(batch.images), batch)
        count = len(batch.images)
        self.train_losses = self.train_losses + torch.stack([loss.detach() * count, loss.new_tensor(count)])
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002 - Lightning passes it by name
    ) -> None:
        # Lightning refuses to clip with fused optimisers in mixed precision, which matters only for scaled fp16.
        if gradient_clip_val:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            clip_grad_norm_(weights, gradient_clip_val)

    def on_validation_epoch_start(self) -> None:
        self.validation_metrics = self.new_metrics()

    def validation_step(self, batch: Batch, _: int) -> None:
        logits = self.network(batch.images)
        if logits.isnan().any():
            raise UserError(
                "the network returns NaN; train with a smaller encoder_rate and decoder_rate, or with precision: fp32"
            )
        self.validation_metrics.add(logits, batch)
        loss = self.compare(logits, batch)
        self.log("validation_loss", loss, on_epoch=True, sync_dist=True, batch_size=len(batch.images))

    def on_validation_epoch_end(self) -> None:
        scores = {f"validation_{name}": score for name, score in self.validation_metrics.scores().items()}
        # The epoch's batches are done. Lightning's own average would forget those before a resume.
        self.log_dict({"train_loss": self.train_losses[0] / self.train_losses[1], **scores}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        inside = {id(weight) for weight in self.network.parameters()}
        further = [weight for weight in self.parameters() if id(weight) not in inside]
        optimiser = build_optimiser(self.network, self.params.optimiser, further)
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
        # Lightning restores a loader only if estimated_stepping_batches was not read before.
        checkpoint["loader"] = self._train_loader.state_dict()
        # The mean over processes: each of them resumes from it.
        checkpoint["train_losses"] = self.trainer.strategy.reduce(self.train_losses.clone(), reduce_op="mean")
        # Lightning steps this schedule after saving, so a resumed run would miss a step.
        checkpoint["plateau"] = self.plateau.state_dict() if self.plateau is not None else None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.resumed = checkpoint

    def on_train_start(self) -> None:
        if self.resumed:
            self._train_loader.load_state_dict(self.resumed["loader"])
            self.train_losses = self.resumed["train_losses"].to(self.device)
        if self.resumed and self.plateau is not None:
            self.plateau.load_state_dict(self.resumed["plateau"])
        self.resumed = {}

    def on_train_epoch_end(self) -> None:
        if self.plateau is not None:
            self.plateau.step(monitored_score(self.trainer.callback_metrics, self.params.monitor))


class ClassifierTask(Task[TrainClassifier]):
    def new_metrics(self) -> PresenceMetrics:
        return PresenceMetrics()

    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        counted = torch.ones_like(batch.presence, dtype=torch.bool)
        loss: Tensor = self.loss(logits, batch.presence, counted)
        return loss


class SegmenterTask(Task[TrainSegmenter]):
    def new_metrics(self) -> PixelMetrics:
        return PixelMetrics(self.params.top_fraction)

    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        truth = unpack(batch.planes, logits.shape[1])
        counted = batch.visible[:, None].expand_as(truth)
        if self.params.pictures == "positives":
            counted = counted & truth.any(dim=(2, 3), keepdim=True)
        loss: Tensor = self.loss(logits, truth, counted)
        return loss


def monitored_score(metrics: Any, monitor: str) -> float:
    """The score that chooses the epoch (higher is better); NaN if it is undefined."""
    value = float(metrics[f"validation_{monitor}"])
    return -value if monitor == "loss" else value
