"""The segmenter: where every class is. Any smp architecture on any smp encoder, or a plain U-Net."""

import warnings
from inspect import signature
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from segmentation_models_pytorch.encoders import is_equivalent_to_timm_universal
from torch import Tensor, nn

from nephoscope.errors import UserError
from nephoscope.models.network import Network, Statistics, pad_to_multiple
from nephoscope.models.weights import LITE_STATISTICS, from_hub, load_weights
from nephoscope.settings.training import Architecture


class VanillaUnet(nn.Module):
    """Images (N×3×H×W, sides multiples of 16) → logits (N×C×H×W)."""

    multiple = 16

    def __init__(self, class_count: int, filters: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(5)]
        inputs = [3, *widths[:-1]]
        self.down = nn.ModuleList(_block(a, b, dropout) for a, b in zip(inputs, widths, strict=True))
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2) for width in reversed(widths[:-1])
        )
        self.up = nn.ModuleList(_block(2 * width, width, dropout) for width in reversed(widths[:-1]))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(filters, class_count, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        skips: list[Tensor] = []
        features = images
        for level, block in enumerate(self.down):
            features = block(self.pool(features) if level else features)
            skips.append(features)
        for rise, block, skip in zip(self.rise, self.up, reversed(skips[:-1]), strict=True):
            features = block(torch.cat([rise(features), skip], dim=1))
        logits: Tensor = self.head(features)
        return logits


def _block(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    def half(channels: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

    return nn.Sequential(*half(inputs), nn.Dropout2d(dropout), *half(outputs))


ARCHITECTURES: dict[Architecture, Any] = {
    "Unet": smp.Unet,
    "UnetPlusPlus": smp.UnetPlusPlus,
    "FPN": smp.FPN,
    "PSPNet": smp.PSPNet,
    "Linknet": smp.Linknet,
    "MAnet": smp.MAnet,
    "PAN": smp.PAN,
    "DeepLabV3": smp.DeepLabV3,
    "DeepLabV3Plus": smp.DeepLabV3Plus,
    "UPerNet": smp.UPerNet,
    "Segformer": smp.Segformer,
}
MAX_SUGGESTIONS = 8
IMAGENET: Statistics = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CENTRED: Statistics = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
STATISTICS: dict[str, Statistics] = {
    "timm-tf_efficientnet_lite": LITE_STATISTICS,
    "tu-tf_efficientnet_lite": LITE_STATISTICS,
    "inceptionresnetv2": CENTRED,
    "inceptionv4": CENTRED,
    "xception": CENTRED,
    "dpn": ((124.0, 117.0, 104.0), (59.88, 59.88, 59.88)),
}
"""By the start of an encoder's name. smp reads these from the hub, which needs a network connection."""


class Segmenter(Network):
    kind = "segmenter"

    def __init__(self, body: nn.Module, encoder: nn.Module, multiple: int, statistics: Statistics) -> None:
        super().__init__(encoder, statistics)
        self.body = body
        self.multiple = multiple

    def forward(self, images: Tensor) -> Tensor:
        """Raw RGB (N×3×H×W, any shape) → logits (N×C×H×W)."""
        height, width = images.shape[-2:]
        logits: Tensor = self.body(pad_to_multiple(self.normalise(images), self.multiple))
        return logits[..., :height, :width]


def build_segmenter(
    architecture: Architecture, encoder: str, class_count: int, *, decoder_width: float = 1.0, weights: str = "none"
) -> Segmenter:
    """An architecture on an encoder, with initial weights (see `load_weights`)."""
    if architecture == "VanillaUnet":
        return _build_vanilla(class_count, weights)
    with warnings.catch_warnings(), from_hub(encoder, wanted=weights == "hub"):
        # smp deprecates timm- encoders in favour of tu-, which are different networks; older models need timm-.
        warnings.simplefilter("ignore", DeprecationWarning)
        body = _build_body(architecture, encoder, class_count, decoder_width, pretrained=weights == "hub")
    own = body.encoder.model if encoder.startswith("tu-") else body.encoder
    network = Segmenter(body, own, body.encoder.output_stride, _statistics(encoder))
    load_weights(network, encoder, weights)
    return network


def _build_body(architecture: Architecture, encoder: str, class_count: int, width: float, *, pretrained: bool) -> Any:
    _refuse_unknown(encoder)
    chosen = "imagenet" if pretrained and not encoder.startswith("tu-") else (True if pretrained else None)
    build = ARCHITECTURES[architecture]
    channels = _decoder_channels(build, width) if width != 1 else {}
    return build(encoder_name=encoder, encoder_weights=chosen, classes=class_count, **channels)


def _refuse_unknown(encoder: str) -> None:
    """Raise an error for an unknown encoder, before timm searches folders or the hub for its name."""
    of_timm = encoder.startswith("tu-") or is_equivalent_to_timm_universal(encoder)
    name = encoder.removeprefix("tu-").removeprefix("timm-")
    if timm.is_model(name) or timm.is_model(f"tf_{name}") if of_timm else encoder in smp.encoders.encoders:
        return
    close = [f"tu-{model}" for model in timm.list_models(f"{name[:6]}*")] if of_timm else []
    close = close or [known for known in smp.encoders.encoders if encoder[:6] in known] or ["tu-<timm model>"]
    raise UserError(f"encoder: smp has no encoder {encoder!r}; similar names: {', '.join(close[:MAX_SUGGESTIONS])}")


def _decoder_channels(build: Any, width: float) -> dict[str, int | tuple[int, ...]]:
    """The default channels of the architecture times `width`, in multiples of 8 for group norms and speed."""
    defaults = {
        key: parameter.default for key, parameter in signature(build).parameters.items() if key.endswith("_channels")
    }
    return {
        key: tuple(_in_eights(part * width) for part in channels)
        if isinstance(channels, tuple)
        else _in_eights(channels * width)
        for key, channels in defaults.items()
        if key != "in_channels"
    }


def _in_eights(channels: float) -> int:
    return max(8, round(channels / 8) * 8)


def _build_vanilla(class_count: int, weights: str) -> Segmenter:
    if weights in ("bundled", "hub"):
        raise UserError(f"weights: {weights}, but VanillaUnet has no pretrained weights; use weights: none (or a file)")
    body = VanillaUnet(class_count)
    network = Segmenter(body, nn.Identity(), body.multiple, CENTRED)
    load_weights(network, "", weights)
    return network


def _statistics(encoder: str) -> Statistics:
    known = next((found for start, found in STATISTICS.items() if encoder.startswith(start)), None)
    if known is None and encoder.startswith("tu-"):
        config = smp.encoders.get_preprocessing_params(encoder)
        red, green, blue = (255 * value for value in config["mean"])
        deviations = [255 * value for value in config["std"]]
        return (red, green, blue), (deviations[0], deviations[1], deviations[2])
    return known or IMAGENET
