"""What both networks share: raw pixels in, logits out, and an encoder that can be told from the rest."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Mean and standard deviation of red, green and blue, for pixels of 0 to 255."""
BEHIND = ("conv_head", "bn2", "classifier")
"""What an EfficientNet has behind its last map; a segmenter does without."""


class Network(nn.Module):
    """Raw RGB (N×3×H×W, 0 to 255, uint8 or float) of any shape → logits.

    Normalisation is a part of the network, so that training, serving and the exported file cannot differ in it.
    """

    kind: ClassVar[str]
    mean: Tensor
    deviation: Tensor

    def __init__(self, encoder: nn.Module, statistics: Statistics) -> None:
        super().__init__()
        mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in statistics)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        # In a tuple: the encoder is registered once, where it belongs in the architecture.
        self._encoder = (encoder,)

    @property
    def encoder(self) -> nn.Module:
        return self._encoder[0]

    def normalise(self, images: Tensor) -> Tensor:
        return (images.to(self.mean.dtype) - self.mean) / self.deviation

    def head_modules(self) -> Iterator[nn.Module]:
        """What lies inside the encoder but is new for every data set."""
        yield from ()

    def encoder_layers(self) -> list[nn.Module]:
        """Modules that own parameters of the encoder, shallowest first; take `parameters(recurse=False)` of them."""
        new = {id(part) for head in self.head_modules() for part in head.modules()}
        layers = (layer for layer in self.encoder.modules() if id(layer) not in new)
        return [layer for layer in layers if any(True for _ in layer.parameters(recurse=False))]

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters that may have been trained before."""
        return [weight for layer in self.encoder_layers() for weight in layer.parameters(recurse=False)]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Everything that is new: head or decoder."""
        trained = {id(weight) for weight in self.encoder_parameters()}
        return [weight for weight in self.parameters() if id(weight) not in trained]

    def load_encoder(self, state: dict[str, Tensor]) -> None:
        """Weights of the encoder, strictly; the head, and what only one side has behind the last map, stay."""
        heads = list(self.head_modules())
        inside = {name for name, part in self.encoder.named_modules() if any(part is head for head in heads)}
        own = self.encoder.state_dict()
        loaded = {
            key: value
            for key, value in state.items()
            if _parent(key) not in inside and (key in own or not key.startswith(BEHIND))
        }
        staying = {
            key: value
            for key, value in own.items()
            if _parent(key) in inside or (key not in state and key.startswith(BEHIND))
        }
        self.encoder.load_state_dict({**loaded, **staying}, strict=True)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples."""
    height, width = images.shape[-2:]
    padding = (0, -width % multiple, 0, -height % multiple)
    return functional.pad(images, padding, mode="replicate") if any(padding) else images


def _parent(key: str) -> str:
    return key.rpartition(".")[0]
