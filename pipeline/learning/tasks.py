"""The two tasks, as Lightning sees them: how a batch becomes a loss, and what validation reports."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pipeline.learning.judging import Judge, PixelJudge, PresenceJudge, unpack
from pipeline.learning.loaders import Batch, ResumableLoader
from pipeline.learning.optimisers import build_optimiser, build_schedule
from pipeline.mendable import Mendable
from pipeline.models.classifier import Classifier
from pipeline.models.losses import LossSettings, build_loss
from pipeline.models.network import Network
from pipeline.params import TrainClassifier, TrainSegmenter

Settings = TypeVar("Settings", TrainClassifier, TrainSegmenter)


class Task(LightningModule, Generic[Settings]):
    """A network, the loss it goes down, and the scores that choose its epoch."""

    judge_type: ClassVar[type[Judge]]

    def __init__(self, network: Network, params: Settings, positive_shares: Tensor, seed: int) -> None:
        super().__init__()
        self.network, self.positive_shares, self.seed = network, positive_shares, seed
        self.params: Settings = params
        self.plateau: ReduceLROnPlateau | None = None
        self.resumed: dict[str, Any] = {}

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning passes it by name
        # Not earlier: a task is pickled on its way into another process, and a function made here cannot be.
        self.loss = build_loss(self.params.loss, LossSettings(self.positive_shares, self.params.label_smoothing))

    def learn(self, batch: Batch) -> Tensor:
        """The loss of a batch in training."""
        return self.compare(self.network(batch.images), batch)

    @abstractmethod
    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        """Logits against the truth of the batch → loss."""

    def training_step(self, batch: Batch, _: int) -> Tensor:
        # Dropout as a function of the step alone: a run that goes on after a kill ends with the same weights.
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * self.trainer.world_size + self.global_rank)
        loss = self.learn(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.images))
        return loss

    def on_validation_epoch_start(self) -> None:
        self.judge = self.judge_type()

    def validation_step(self, batch: Batch, _: int) -> None:
        logits = self.network(batch.images)
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
    """May also learn where in the picture the classes lie: masks tell more than presence, for next to nothing."""

    judge_type = PresenceJudge

    def __init__(self, network: Classifier, params: TrainClassifier, positive_shares: Tensor, seed: int) -> None:
        super().__init__(network, params, positive_shares, seed)
        # Beside the network: nobody needs it after training.
        channels = network.body.num_features
        self.locator = nn.Conv2d(channels, len(positive_shares), 1) if params.mask_weight else None

    def learn(self, batch: Batch) -> Tensor:
        if self.locator is None:
            return super().learn(batch)
        network = cast(Classifier, self.network)
        features = network.look(batch.images)
        if features.ndim != 4 or features.shape[1] != self.locator.in_channels:
            raise Mendable(f"mask_weight: {self.params.encoder} keeps no map of its features; it learns with 0 alone")
        loss = self.compare(network.judge(features), batch)
        return loss + self.params.mask_weight * self._compare_cells(self.locator(features), batch)

    def _compare_cells(self, logits: Tensor, batch: Batch) -> Tensor:
        """Logits (N×C×h×w) against the share of each cell's visible pixels that a class covers."""
        cells = (logits.shape[2], logits.shape[3])
        visible = batch.visible[:, None].float()
        truth = unpack(batch.planes, logits.shape[1]) * visible
        seen = functional.adaptive_avg_pool2d(visible, cells)
        covered = functional.adaptive_avg_pool2d(truth, cells) / seen.clamp(min=1e-6)
        each = functional.binary_cross_entropy_with_logits(logits.float(), covered, reduction="none")
        return (each * seen).sum() / (seen.sum() * logits.shape[1]).clamp(min=1)

    def compare(self, logits: Tensor, batch: Batch) -> Tensor:
        counted = torch.ones_like(batch.presence, dtype=torch.bool)
        loss: Tensor = self.loss(logits, batch.presence, counted)
        return loss


class SegmenterTask(Task[TrainSegmenter]):
    judge_type = PixelJudge

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
