"""Legs: the stretches of one member's training, and the folder in which each keeps what it has."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.params import TrainClassifier, TrainSegmenter


@dataclass(frozen=True)
class Progress:
    """What a leg leaves behind while it runs, and when it is done."""

    folder: Path

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def last(self) -> Path:
        """All that is needed to go on in the middle of an epoch."""
        return self.folder / "last.ckpt"

    @property
    def finished(self) -> Path:
        return self.folder / "finished"


@dataclass(frozen=True)
class Leg:
    """Each begins with the best weights of the one before."""

    params: TrainClassifier | TrainSegmenter
    """with the epochs, shape and rates of this leg"""
    begun: int
    """epochs of the legs before it"""
    progress: Progress


def list_legs(params: TrainClassifier | TrainSegmenter, folder: Path) -> list[Leg]:
    """The main leg, and the finish where there is one."""
    finish = params.finish
    legs = [Leg(params, 0, Progress(folder / "main"))]
    if finish.epochs:
        rates = finish.model_dump(include={"encoder_rate", "decoder_rate", "warmup_share"})
        changes = {
            "epochs": finish.epochs,
            "input_shape": finish.input_shape,
            "optimiser": params.optimiser.model_copy(update=rates),
            "frozen_epochs": 0,
        }
        legs.append(Leg(params.model_copy(update=changes), params.epochs, Progress(folder / "finish")))
    return legs
