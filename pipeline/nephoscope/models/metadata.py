"""What is true of one trained network: the header of its checkpoint. Read without its weights, and without torch."""

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
"""The key of a safetensors header that they stand under, as JSON."""


class CheckpointError(UserError):
    """The file is no checkpoint of nephoscope."""


@dataclass(frozen=True)
class NetworkMetadata:
    """What is true of one trained network."""

    kind: Literal["classifier", "segmenter"]
    architecture: str
    """For a classifier, which is nothing but encoder and head: the encoder again."""
    encoder: str
    input_shape: Shape
    data: Metadata
    member: str
    seed: int
    fold: int
    """-1: none"""
    epoch: int
    """Counted from 0; the one that the monitor chose."""
    score: float
    """On validation; higher is better."""
    settings: dict[str, Any]
    """The resolved section of params."""

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        height, width = content["input_shape"]
        return cls(**{**content, "input_shape": (height, width), "data": Metadata.from_dict(content["data"])})

    def to_header(self) -> dict[str, str]:
        return {HEADER: json.dumps(dataclasses.asdict(self))}


def load_metadata(path: Path) -> NetworkMetadata:
    """Only the header: quick, whatever the size of the network."""
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read ({error}); copy or make it anew") from None
    if HEADER not in header:
        raise CheckpointError(f"{path}: no checkpoint of nephoscope; its header has {sorted(header) or 'nothing'}")
    content = json.loads(header[HEADER])
    refuse_earlier_version(content, path, "train the network again, or export the model again")
    return NetworkMetadata.from_dict(content)


def refuse_other_data(checkpoints: Iterable[Path], data: Metadata) -> None:
    """Networks of another split learned from what they are judged on now; of another cache, from other pixels."""
    for path in checkpoints:
        learned = load_metadata(path).data
        if learned != data:
            names = [
                one.name
                for one in dataclasses.fields(Metadata)
                if getattr(learned, one.name) != getattr(data, one.name)
            ]
            raise UserError(
                f"{path}: learned from other data than `prepare` has made since (it differs in {', '.join(names)}); "
                "`dvc repro` trains anew"
            )
