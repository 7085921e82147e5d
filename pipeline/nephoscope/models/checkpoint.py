"""A checkpoint: one safetensors file with the weights and, in its header, the metadata that rebuilds the network."""

from pathlib import Path
from typing import cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from nephoscope.files import atomic_write
from nephoscope.models.classifier import build_classifier
from nephoscope.models.metadata import CheckpointError, NetworkMetadata, load_metadata
from nephoscope.models.network import Network
from nephoscope.models.segmenter import build_segmenter
from nephoscope.settings.training import Architecture


def build_network(metadata: NetworkMetadata) -> Network:
    """The network that the metadata describes, with random weights."""
    count = len(metadata.data.classes)
    if metadata.kind == "classifier":
        return build_classifier(
            metadata.encoder, count, metadata.input_shape, dropout=metadata.settings.get("dropout", 0.0)
        )
    width = metadata.settings.get("decoder_width", 1.0)
    return build_segmenter(cast(Architecture, metadata.architecture), metadata.encoder, count, decoder_width=width)


def save_checkpoint(path: Path, network: nn.Module, metadata: NetworkMetadata, *, half: bool = False) -> None:
    """Write weights and metadata. `half` stores convolutions and matrices in 16 bits; they are loaded as 32 bits."""
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    if half:
        state = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    with atomic_write(path) as unfinished:
        save_file(state, unfinished, metadata=metadata.to_header())


def load_checkpoint(path: Path) -> tuple[nn.Module, NetworkMetadata]:
    """The network in eval mode on the CPU, and its metadata."""
    metadata = load_metadata(path)
    network = build_network(metadata)
    try:
        network.load_state_dict(load_file(path), strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: its weights do not fit the network that it describes ({str(error)[:200]}); copy it again, or "
            "train again"
        ) from None
    return network.eval(), metadata
