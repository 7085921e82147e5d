"""A checkpoint: one safetensors file that holds the weights and, in its header, everything needed to rebuild them."""

from pathlib import Path
from typing import cast

from safetensors.torch import load_file, save_file
from torch import nn

from nephoscope.files import writing
from nephoscope.models.classifier import build_classifier
from nephoscope.models.metadata import NetworkFacts, load_facts
from nephoscope.models.network import Network
from nephoscope.models.segmenter import build_segmenter
from nephoscope.settings.training import Architecture


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
        save_file(state, unfinished, metadata=facts.to_header())


def load_checkpoint(path: Path) -> tuple[nn.Module, NetworkFacts]:
    """The network in eval mode on the CPU, and what is true of it."""
    facts = load_facts(path)
    network = build_network(facts)
    network.load_state_dict(load_file(path), strict=True)
    return network.eval(), facts
