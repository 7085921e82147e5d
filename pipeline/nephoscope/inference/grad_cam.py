"""Grad-CAM heat maps: which regions of an image raise a classifier's score for a class."""

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
from nephoscope.settings.section import Device

Heat = npt.NDArray[np.float32]
"""H×W, 0 to 1: 1 where the evidence for the class is strongest, 0 where there is none or nothing was seen."""
HEIGHT_AND_WIDTH = (2, 3)


@dataclass(frozen=True)
class Explanation:
    """Heat maps of one image, for the requested classes."""

    heat_maps: tuple[Heat, ...]
    presences: tuple[float, ...]
    """probabilities of the classifier, not calibrated"""


class Explainer:
    """The classifiers of a model. Each gives a heat map with maximum 1; the result is their mean.

    Where classifiers disagree, the mean stays below 1.
    """

    def __init__(self, members: Sequence[tuple[nn.Module, Shape]], metadata: Metadata, device: torch.device) -> None:
        self.metadata = metadata
        self._device = device
        self._members = [(network.eval().to(device), shape) for network, shape in members]
        self._grad_cams = [LayerGradCam(network, find_pooling(network)) for network, _ in self._members]

    @classmethod
    def open(cls, checkpoints: Sequence[Path], device: Device | None = None) -> Self:
        loaded = [load_checkpoint(path) for path in checkpoints]
        members = [(network, metadata.input_shape) for network, metadata in loaded]
        return cls(members, loaded[0][1].data, resolve_device((device or Device()).accelerator))

    def explain(self, image: Image, visible: Mask, targets: Sequence[int]) -> Explanation:
        """Image (H×W×3), visible pixels (H×W) and class indices → heat maps at the shape of the image."""
        heat_maps = np.zeros((len(targets), *visible.shape), np.float32)
        presences = np.zeros(len(targets))
        for (network, shape), grad_cam in zip(self._members, self._grad_cams, strict=True):
            pixels = torch.tensor(fit_image(image, shape), dtype=torch.float32, device=self._device)
            resized = pixels.permute(2, 0, 1)[None]
            heat_maps += normalise(_heats(grad_cam, resized, targets, visible.shape), visible)
            presences += _presences(network, resized)[list(targets)]
        count = len(self._members)
        return Explanation(tuple(heat_maps / count), tuple(map(float, presences / count)))


def find_pooling(network: nn.Module) -> nn.Module:
    """The pooling layer after the last feature map of a timm network. Grad-CAM explains its input."""
    pooling = [layer for layer in network.modules() if isinstance(layer, SelectAdaptivePool2d)]
    # Some transformers pool a map with channels last, for which Grad-CAM would be wrong.
    if not pooling or getattr(pooling[-1].pool, "dim", HEIGHT_AND_WIDTH) != HEIGHT_AND_WIDTH:
        name = type(getattr(network, "body", network)).__name__
        raise UserError(
            f"heat maps need a convolutional classifier that pools a feature map; {name} has none. "
            "Choose another train_classifier.encoder, such as tf_efficientnet_lite0"
        )
    return pooling[-1]


def normalise(heat_maps: Heat, visible: Mask) -> Heat:
    """Heat (C×H×W) of any scale → heat whose visible maximum is 1. A map of zeros stays 0."""
    inside = np.where(visible, heat_maps, 0)
    maximum = inside.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(inside, maximum, out=np.zeros_like(inside), where=maximum > 0), np.float32)


def _heats(grad_cam: LayerGradCam, resized: Tensor, targets: Sequence[int], shape: tuple[int, ...]) -> Heat:
    """Heat (C×H×W, not negative) of one image, one class per copy of the image."""
    copies = resized.expand(len(targets), -1, -1, -1)
    attributions = grad_cam.attribute(copies, list(targets), attribute_to_layer_input=True, relu_attributions=True)
    assert isinstance(attributions, Tensor)  # one layer gives one tensor
    smooth = LayerAttribution.interpolate(attributions, shape, "bilinear")
    return np.asarray(smooth.detach().cpu().numpy()[:, 0], np.float32)


@torch.inference_mode()
def _presences(network: nn.Module, resized: Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(network(resized)[0].double().sigmoid().cpu().numpy(), np.float64)
