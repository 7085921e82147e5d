"""What both networks share: raw pixels in, logits out, and a separate encoder."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Mean and standard deviation of red, green and blue, for pixels of 0 to 255."""
BEHIND = ("conv_head", "bn2", "classifier")
"""Layers of an EfficientNet after its last feature map; a segmenter does not have them."""


class Network(nn.Module):
    """Raw RGB (N×3×H×W, 0 to 255, uint8 or float) of any shape → logits.

    Normalisation is part of the network, so that it is the same in training, inference and export.
    """

    kind: ClassVar[str]
    mean: Tensor
    deviation: Tensor

    def __init__(self, encoder: nn.Module, statistics: Statistics) -> None:
        super().__init__()
        mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in statistics)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        # In a tuple, so that PyTorch does not register the encoder twice.
        self._encoder = (encoder,)

    @property
    def encoder(self) -> nn.Module:
        return self._encoder[0]

    def normalise(self, images: Tensor) -> Tensor:
        return (images.to(self.mean.dtype) - self.mean) / self.deviation

    def head_modules(self) -> Iterator[nn.Module]:
        """Modules inside the encoder that are new for every data set, such as a classifier's head."""
        yield from ()

    def encoder_layers(self) -> list[nn.Module]:
        """Modules with parameters of their own (`recurse=False`), from the first layer of the encoder to the last."""
        new = {id(part) for head in self.head_modules() for part in head.modules()}
        layers = (layer for layer in self.encoder.modules() if id(layer) not in new)
        return [layer for layer in layers if any(True for _ in layer.parameters(recurse=False))]

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters of the encoder, which may be pretrained."""
        return [weight for layer in self.encoder_layers() for weight in layer.parameters(recurse=False)]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """All other parameters: the head or the decoder."""
        trained = {id(weight) for weight in self.encoder_parameters()}
        return [weight for weight in self.parameters() if id(weight) not in trained]

    def load_encoder(self, state: dict[str, Tensor]) -> None:
        """Load encoder weights strictly, except the head and layers after the last map that only one side has."""
        heads = list(self.head_modules())
        inside = {name for name, part in self.encoder.named_modules() if any(part is head for head in heads)}
        own = self.encoder.state_dict()
        loaded = {
            key: value
            for key, value in state.items()
            if _parent(key) not in inside and (key in own or not key.startswith(BEHIND))
        }
        kept = {
            key: value
            for key, value in own.items()
            if _parent(key) in inside or (key not in state and key.startswith(BEHIND))
        }
        # Strict by default. Some encoders of smp do not accept the argument `strict`.
        self.encoder.load_state_dict({**loaded, **kept})


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad images (N×C×H×W) by repeating the last row and column until both sides are multiples."""
    height, width = images.shape[-2:]
    padding = (0, -width % multiple, 0, -height % multiple)
    return functional.pad(images, padding, mode="replicate") if any(padding) else images


def _parent(key: str) -> str:
    return key.rpartition(".")[0]
