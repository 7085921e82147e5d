"""Grad-CAM of classifiers with fixed weights, whose heat maps can be computed by hand."""

import numpy as np
import pytest
import torch
from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from torch import Tensor, nn

from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.inference.grad_cam import Explainer, find_pooling
from nephoscope.masks.rle import Shape
from nephoscope.models.classifier import build_classifier

SHAPE = (8, 12)
METADATA = Metadata("clouds", ("red", "blue"), SHAPE, SHAPE, SHAPE)
EVERYTHING = np.ones(SHAPE, bool)


class RedAndBlue(nn.Module):
    """Features are red and blue, the logit of each class is the mean of its feature, times a weight."""

    def __init__(self, red: float = 1.0, blue: float = 1.0) -> None:
        super().__init__()
        self.global_pool = SelectAdaptivePool2d(flatten=True)
        self.weights = nn.Parameter(torch.tensor([red, blue]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.global_pool(images[:, [0, 2]] / 255) * self.weights
        return logits


def explainer(*networks: nn.Module, shape: Shape = SHAPE) -> Explainer:
    return Explainer([(network, shape) for network in networks], METADATA, torch.device("cpu"))


def draw_image() -> np.ndarray:
    """Red in the upper left corner, half as red in the upper right one, blue in the lower right one."""
    image = np.zeros((*SHAPE, 3), np.uint8)
    image[:2, :3, 0] = 200
    image[:2, -3:, 0] = 100
    image[-2:, -3:, 2] = 200
    return image


def test_heat_lies_where_the_class_is() -> None:
    red, blue = explainer(RedAndBlue()).explain(draw_image(), EVERYTHING, [0, 1]).heat_maps
    assert red.shape == SHAPE
    assert red.dtype == np.float32
    np.testing.assert_allclose(red, draw_image()[..., 0] / 200, atol=1e-6)
    np.testing.assert_allclose(blue, draw_image()[..., 2] / 200, atol=1e-6)


def test_evidence_against_a_class_has_no_heat() -> None:
    (red,) = explainer(RedAndBlue(red=-1)).explain(draw_image(), EVERYTHING, [0]).heat_maps
    assert red.tolist() == np.zeros(SHAPE).tolist()


def test_only_the_requested_classes_are_explained() -> None:
    explained = explainer(RedAndBlue(blue=2)).explain(draw_image(), EVERYTHING, [1])
    assert len(explained.heat_maps) == 1
    assert explained.presences == pytest.approx([1 / (1 + np.exp(-2 * 200 / 255 / 16))])


def test_invisible_pixels_have_no_heat_and_do_not_change_the_rest() -> None:
    visible = EVERYTHING.copy()
    visible[:, :6] = False
    (red,) = explainer(RedAndBlue()).explain(draw_image(), visible, [0]).heat_maps
    assert red[:, :6].max() == 0
    assert red[0, -1] == 1
    (nothing,) = explainer(RedAndBlue()).explain(draw_image(), ~EVERYTHING, [0]).heat_maps
    assert nothing.max() == 0


def test_heat_maps_are_scaled_before_they_are_averaged() -> None:
    both = explainer(RedAndBlue(red=100), RedAndBlue(red=-1)).explain(draw_image(), EVERYTHING, [0])
    assert both.heat_maps[0][0, 0] == 0.5
    alone = [explainer(RedAndBlue(red=red)).explain(draw_image(), EVERYTHING, [0]) for red in (100, -1)]
    assert both.presences[0] == pytest.approx(np.mean([explanation.presences[0] for explanation in alone]))


def test_a_classifier_of_another_input_shape_gives_heat_at_the_shape_of_the_image() -> None:
    (red,) = explainer(RedAndBlue(), shape=(4, 6)).explain(draw_image(), EVERYTHING, [0]).heat_maps
    assert red.shape == SHAPE
    assert red[0, 0] == 1
    assert red[4:].max() < 0.05


@pytest.mark.parametrize(
    "encoder", ["mobilenetv3_small_050", "tf_efficientnet_lite0", "resnet10t", "convnext_atto", "regnetx_002"]
)
def test_convolutional_networks_have_heat(encoder: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(encoder, 2, (64, 96))
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    # Random weights may give no evidence for any class, so one class gets positive weights.
    network.body.get_classifier().weight.data[0] = 1
    first, second = explainer(network, shape=(64, 96)).explain(image, np.ones((64, 96), bool), [0, 1]).heat_maps
    assert first.shape == second.shape == (64, 96)
    assert 0 <= first.min() < first.max() == 1


@pytest.mark.parametrize("encoder", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_networks_without_a_feature_map_are_rejected(encoder: str) -> None:
    with pytest.raises(UserError, match=r"Transformer.* has none\. Choose another"):
        find_pooling(build_classifier(encoder, 2, (224, 224)))
