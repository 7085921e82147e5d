"""A checkpoint: one safetensors file that holds the weights and, in its header, everything needed to rebuild them."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.artifacts import writing
from pipeline.data.manifest import Facts
from pipeline.masks.rle import Shape
from pipeline.mendable import Mendable
from pipeline.models.classifier import build_classifier
from pipeline.models.network import Network
from pipeline.models.segmenter import build_segmenter
from pipeline.params import Architecture

HEADER = "nephoscope"


class CheckpointError(Mendable):
    """The file is no checkpoint of nephoscope."""


@dataclass(frozen=True)
class NetworkFacts:
    """What is true of one trained network."""

    kind: Literal["classifier", "segmenter"]
    architecture: str
    """For a classifier, which is nothing but encoder and head: the encoder again."""
    encoder: str
    input_shape: Shape
    data: Facts
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
        return cls(**{**content, "input_shape": (height, width), "data": Facts.from_dict(content["data"])})

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def build_network(facts: NetworkFacts) -> Network:
    """The network these facts speak of, with random weights."""
    count = len(facts.data.classes)
    if facts.kind == "classifier":
        return build_classifier(facts.encoder, count, facts.input_shape, dropout=facts.settings.get("dropout", 0.0))
    width = facts.settings.get("decoder_width", 1.0)
    return build_segmenter(cast(Architecture, facts.architecture), facts.encoder, count, decoder_width=width)


def save_checkpoint(path: Path, network: nn.Module, facts: NetworkFacts, *, half: bool = False) -> None:
    """With `half`, what is large (convolutions and matrices) is kept in 16 bits; networks always compute in more."""
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    if half:
        state = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    with writing(path) as unfinished:
        save_file(state, unfinished, metadata={HEADER: json.dumps(facts.to_dict())})


def load_checkpoint(path: Path) -> tuple[nn.Module, NetworkFacts]:
    """The network in eval mode on the CPU, and what is true of it."""
    facts = load_facts(path)
    network = build_network(facts)
    network.load_state_dict(load_file(path), strict=True)
    return network.eval(), facts


def load_facts(path: Path) -> NetworkFacts:
    """Only the header: quick, whatever the size of the network."""
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
    if HEADER not in header:
        raise CheckpointError(f"{path}: no checkpoint of nephoscope; its header has {sorted(header) or 'nothing'}")
    return NetworkFacts.from_dict(json.loads(header[HEADER]))
