"""Heat maps: where in a picture a classifier found what speaks for a class (Grad-CAM, over the last features)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import LayerAttribution, LayerGradCam
from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from torch import Tensor, nn

from nephoscope.data.images import fit_image
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.models.devices import resolve_device
from nephoscope.settings.section import Machine

Heat = npt.NDArray[np.float32]
"""H×W, 0 to 1: 1 where most speaks for the class, 0 where nothing does, or nobody saw anything."""
HEIGHT_AND_WIDTH = (2, 3)


@dataclass(frozen=True)
class Explanation:
    """Of one picture, for the classes that were asked about."""

    heat_maps: tuple[Heat, ...]
    presences: tuple[float, ...]
    """as the classifier has them, before any calibration"""


class Explainer:
    """The members of one model. Each has its own heat map, whose hottest pixel is 1, and their mean is told: where
    members do not agree, it stays below 1.
    """

    def __init__(self, members: Sequence[tuple[nn.Module, Shape]], metadata: Metadata, device: torch.device) -> None:
        self.metadata = metadata
        self._device = device
        self._members = [(network.eval().to(device), shape) for network, shape in members]
        self._grad_cams = [LayerGradCam(network, find_pooling(network)) for network, _ in self._members]

    @classmethod
    def open(cls, checkpoints: Sequence[Path], machine: Machine | None = None) -> Self:
        loaded = [load_checkpoint(path) for path in checkpoints]
        members = [(network, metadata.input_shape) for network, metadata in loaded]
        return cls(members, loaded[0][1].data, resolve_device((machine or Machine()).accelerator))

    def explain(self, image: Image, visible: Mask, targets: Sequence[int]) -> Explanation:
        """Image (H×W×3) and visible pixels (H×W) at the cache shape, indices of classes → heat at that shape."""
        heat_maps = np.zeros((len(targets), *visible.shape), np.float32)
        presences = np.zeros(len(targets))
        for (network, shape), grad_cam in zip(self._members, self._grad_cams, strict=True):
            pixels = torch.tensor(fit_image(image, shape), dtype=torch.float32, device=self._device)
            fitted = pixels.permute(2, 0, 1)[None]
            heat_maps += normalise(_heats(grad_cam, fitted, targets, visible.shape), visible)
            presences += _presences(network, fitted)[list(targets)]
        count = len(self._members)
        return Explanation(tuple(heat_maps / count), tuple(map(float, presences / count)))


def find_pooling(network: nn.Module) -> nn.Module:
    """The layer that timm's convolutional networks end their map of features with: what enters it is explained."""
    pooling = [layer for layer in network.modules() if isinstance(layer, SelectAdaptivePool2d)]
    # Some transformers pool a map as well, but one whose channels come last; their heat would be nonsense.
    if not pooling or getattr(pooling[-1].pool, "dim", HEIGHT_AND_WIDTH) != HEIGHT_AND_WIDTH:
        name = type(getattr(network, "body", network)).__name__
        raise UserError(
            f"heat maps need a convolutional classifier that pools a map of features; {name} has none. "
            "Train one with another train_classifier.encoder, such as tf_efficientnet_lite0"
        )
    return pooling[-1]


def normalise(heat_maps: Heat, visible: Mask) -> Heat:
    """Heat (C×H×W) of any scale → its hottest visible pixel is 1; a map without heat stays 0."""
    seen = np.where(visible, heat_maps, 0)
    hottest = seen.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(seen, hottest, out=np.zeros_like(seen), where=hottest > 0), np.float32)


def _heats(grad_cam: LayerGradCam, fitted: Tensor, targets: Sequence[int], shape: tuple[int, ...]) -> Heat:
    """C×H×W, at least 0, one copy of the picture a class."""
    copies = fitted.expand(len(targets), -1, -1, -1)
    found = grad_cam.attribute(copies, list(targets), attribute_to_layer_input=True, relu_attributions=True)
    assert isinstance(found, Tensor)  # one layer, one map
    smooth = LayerAttribution.interpolate(found, shape, "bilinear")
    return np.asarray(smooth.detach().cpu().numpy()[:, 0], np.float32)


@torch.inference_mode()
def _presences(network: nn.Module, fitted: Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(network(fitted)[0].double().sigmoid().cpu().numpy(), np.float64)
