"""Metadata of a trained network, in the header of its checkpoint. Reading it needs neither weights nor PyTorch."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from safetensors import SafetensorError, safe_open

from nephoscope.artifacts import refuse_earlier_version
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

HEADER = "nephoscope"
"""Key of the metadata (JSON) in the safetensors header."""


class CheckpointError(UserError):
    """The file is not a checkpoint of nephoscope."""


@dataclass(frozen=True)
class NetworkMetadata:
    """What a trained network is and how it was trained."""

    kind: Literal["classifier", "segmenter"]
    architecture: str
    """For a classifier, which has only an encoder and a head, the name of the encoder."""
    encoder: str
    input_shape: Shape
    data: Metadata
    member: str
    seed: int
    fold: int
    """The fold that it never saw; -1: no folds."""
    epoch: int
    """The best epoch, counted from 0."""
    score: float
    """The monitored score on validation; higher is better."""
    settings: dict[str, Any]
    """Its section of params.yaml, with defaults."""

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        height, width = content["input_shape"]
        return cls(**{**content, "input_shape": (height, width), "data": Metadata.from_dict(content["data"])})

    def to_header(self) -> dict[str, str]:
        return {HEADER: json.dumps({**dataclasses.asdict(self), "data": self.data.to_dict()})}


def load_metadata(path: Path) -> NetworkMetadata:
    """Read the header of a checkpoint only."""
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read ({error}); copy it again, or train again") from None
    if HEADER not in header:
        raise CheckpointError(f"{path} is not a checkpoint of nephoscope; its header has {sorted(header) or 'nothing'}")
    try:
        content = json.loads(header[HEADER])
        refuse_earlier_version(content, path, "train the network again, or export the model again")
        return NetworkMetadata.from_dict(content)
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: its header does not describe a network ({str(error)[:200]}); copy it again, or train again"
        ) from None


def refuse_other_data(checkpoints: Iterable[Path], data: Metadata) -> None:
    """Raise an error if a network was trained on another split, cache or data set than the current one."""
    for path in checkpoints:
        trained_on = load_metadata(path).data
        if trained_on != data:
            names = [
                field.name
                for field in dataclasses.fields(Metadata)
                if getattr(trained_on, field.name) != getattr(data, field.name)
            ]
            raise UserError(
                f"{path}: trained on other data than `prepare` provides now (different: {', '.join(names)}); "
                "run `dvc repro` to train again"
            )
