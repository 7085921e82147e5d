"""The network: one encoder with two heads, for masks and for presence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recipes.gpu.data import CLASS_COUNT, Data

FLIPS: dict[str, tuple[int, ...]] = {"none": (), "horizontal": (3,), "vertical": (2,), "both": (2, 3)}
"""View → flipped axes of N×C×H×W."""


@dataclass(frozen=True)
class Encoder:
    name: str
    """smp's name"""
    mean: float | None
    deviation: float | None
    """None: computed from the images, per channel"""
    neck: str | None = None
    """A timm model. Its pretrained layers between the last feature map and the classifier are used too."""


ENCODERS = {
    "lite0": Encoder("tu-tf_efficientnet_lite0", 127, 128, "tf_efficientnet_lite0"),
    "lite2": Encoder("tu-tf_efficientnet_lite2", 127, 128, "tf_efficientnet_lite2"),
    "xception": Encoder("xception", 127.5, 127.5),
    "b4": Encoder("tu-tf_efficientnet_b4", None, None),
}


@dataclass(frozen=True)
class Settings:
    """How one network is built, augmented and trained."""

    encoder: str
    shape: tuple[int, int]
    batch: int
    encoder_rate: float
    decoder_rate: float
    soft: float = 0.0
    """Share of the teacher in the targets."""
    weight_decay: float = 0.01
    warmup: float = 0.15
    ema: float = 0.99
    dice: float = 0.25
    presence: float = 0.25
    degrees: float = 20.0
    scale: float = 0.12
    shift: float = 0.07
    geometric: float = 0.7
    light: float = 0.5
    cutmix: float = 0.5
    dropout: float = 0.2
    width: float = 0.5
    clip: float = 5.0
    channels_last: bool = True
    """Memory format of images and kernels."""

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


class JointNetwork(nn.Module):
    """Raw images (N×3×H×W) → logits of masks (N×C×H/4×W/4) and of presence (N×C)."""

    def __init__(self, settings: Settings, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp
        import timm

        encoder = ENCODERS[settings.encoder]
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.register_buffer("deviation", deviation.view(1, 3, 1, 1))
        self.segmenter = smp.FPN(
            encoder.name,
            encoder_weights=None,
            classes=CLASS_COUNT,
            decoder_pyramid_channels=round(256 * settings.width),
            decoder_segmentation_channels=round(128 * settings.width),
        )
        self.pretrained_neck = encoder.neck is not None
        if encoder.neck:
            whole = timm.create_model(encoder.neck, num_classes=CLASS_COUNT)
            self.conv_head, self.bn2, channels = whole.conv_head, whole.bn2, whole.num_features
        else:
            channels = 1024
            self.conv_head = nn.Conv2d(self.segmenter.encoder.out_channels[-1], channels, 1, bias=False)
            self.bn2 = nn.Sequential(nn.BatchNorm2d(channels), nn.SiLU(inplace=True))
        self.dropout, self.memory_format = nn.Dropout(settings.dropout), settings.memory_format
        self.classifier = nn.Linear(channels, CLASS_COUNT)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        normalised = ((images - self.mean) / self.deviation).contiguous(memory_format=self.memory_format)
        features = self.segmenter.encoder(normalised)
        maps = self.segmenter.segmentation_head[0](self.segmenter.decoder(features))
        pooled = self.bn2(self.conv_head(features[-1])).mean((2, 3))
        return maps, self.classifier(self.dropout(pooled))

    def parameter_groups(self, settings: Settings) -> list[dict[str, Any]]:
        """Pretrained and new parameters, each with and without weight decay. Norms and biases do not decay."""
        pretrained = list(self.segmenter.encoder.parameters())
        if self.pretrained_neck:
            pretrained += [*self.conv_head.parameters(), *self.bn2.parameters()]
        pretrained_ids = {id(parameter) for parameter in pretrained}
        new = [parameter for parameter in self.parameters() if id(parameter) not in pretrained_ids]
        groups = []
        for parameters, rate in ((pretrained, settings.encoder_rate), (new, settings.decoder_rate)):
            for decays in (True, False):
                chosen = [parameter for parameter in parameters if (parameter.ndim > 1) is decays]
                decay = settings.weight_decay if decays else 0.0
                groups.append({"params": chosen, "rate": rate, "weight_decay": decay})
        return [group for group in groups if group["params"]]


def build_network(settings: Settings, weights: Path | None, data: Data, seed: int) -> JointNetwork:
    """A network with the encoder's initial weights. The seed initialises all other layers."""
    torch.manual_seed(seed)
    encoder = ENCODERS[settings.encoder]
    if encoder.mean is None:
        sample = data.images[:: max(1, len(data) // 500)].float()
        mean, deviation = sample.mean((0, 2, 3)).cpu(), sample.std((0, 2, 3)).cpu()
    else:
        mean, deviation = torch.full((3,), float(encoder.mean)), torch.full((3,), float(encoder.deviation))
    network = JointNetwork(settings, mean, deviation)
    if weights is not None:
        load_encoder(network, weights / f"{settings.encoder}.safetensors")
    return network


def load_encoder(network: JointNetwork, path: Path) -> None:
    """Load a file of `weights.py`. Kernels in int8 are multiplied by the scale of their output channel."""
    state = {key: value.float() for key, value in load_file(path).items()}
    scales = {key.removesuffix(":scale"): state.pop(key) for key in [key for key in state if key.endswith(":scale")]}
    for key, scale in scales.items():
        state[key] = state[key] * scale
    encoder = network.segmenter.encoder
    target = getattr(encoder, "model", encoder)
    own = target.state_dict()
    expected = {key for key in own if not key.endswith("num_batches_tracked")}
    missing = expected - state.keys()
    if missing:
        raise ValueError(f"{path}: tensors are missing, e.g. {sorted(missing)[:3]}; write the file with weights.py")
    # The plain method of nn.Module: smp's encoders override it.
    nn.Module.load_state_dict(target, {**own, **{key: state[key] for key in expected}})
    for name in ("conv_head", "bn2"):
        part = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        if part and network.pretrained_neck:
            getattr(network, name).load_state_dict(part, strict=False)


def save_network(path: Path, network: JointNetwork) -> None:
    """Kernels are stored as float16."""
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    state = {
        key: value.half() if value.ndim > 1 and value.is_floating_point() else value for key, value in state.items()
    }
    save_file(state, path)


@torch.no_grad()
def predict(
    network: JointNetwork, images: Tensor, rows: np.ndarray, views: Sequence[str], batch: int = 128
) -> tuple[Tensor, Tensor]:
    """Mean probabilities over the views: maps (n×C×h×w uint8, 0 to 255) and presence (n×C)."""
    maps, presences = [], []
    device, benchmark = images.device, torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False  # the search for the fastest convolution takes longer than it saves here
    # All batches have the same size: the last one is padded, and the padding is cut off at the end.
    padded = np.resize(rows, -(-len(rows) // batch) * batch)
    for part in torch.from_numpy(padded).to(device).split(batch):
        pixels = images.index_select(0, part).float()
        map_sum: Any = 0
        presence_sum: Any = 0
        for view in views:
            axes = FLIPS[view]
            with torch.autocast(device.type, torch.bfloat16):
                map_logits, presence_logits = network(pixels.flip(axes) if axes else pixels)
            probabilities = map_logits.float().sigmoid()
            map_sum = map_sum + (probabilities.flip(axes) if axes else probabilities)
            presence_sum = presence_sum + presence_logits.float().sigmoid()
        maps.append((map_sum / len(views) * 255).round().byte())
        presences.append(presence_sum / len(views))
    torch.backends.cudnn.benchmark = benchmark
    return torch.cat(maps)[: len(rows)], torch.cat(presences)[: len(rows)]
