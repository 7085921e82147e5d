"""Every family of encoders of smp starts from a file of weights."""

import warnings
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import save_file

from nephoscope.models import segmenter
from nephoscope.models.network import Network
from nephoscope.models.weights import load_weights

SMALLEST = {
    "resnet18", "dpn68", "vgg11", "se_resnet50", "densenet121", "inceptionresnetv2", "inceptionv4", "efficientnet-b0",
    "mobilenet_v2", "xception", "timm-efficientnet-b0", "timm-tf_efficientnet_lite0", "timm-skresnet18", "mit_b0",
    "mobileone_s0", "timm-regnetx_002", "timm-res2net50_26w_4s", "timm-resnest14d",
    "timm-mobilenetv3_small_minimal_100", "timm-gernet_s", "tu-resnet10t",
}  # fmt: skip
"""One encoder of every class of smp, and of every kind that smp takes from timm."""


def build_encoder(name: str) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        encoder: torch.nn.Module = smp.encoders.get_encoder(name, weights=None)
    return encoder.model if name.startswith("tu-") else encoder


def test_every_class_of_encoders_is_tested() -> None:
    known = smp.encoders.encoders
    assert {known[name]["encoder"] for name in SMALLEST if name in known} == {
        settings["encoder"] for settings in known.values()
    }


@pytest.mark.parametrize("name", sorted(SMALLEST))
def test_an_encoder_starts_from_a_file(name: str, tmp_path: Path) -> None:
    network = Network(build_encoder(name), segmenter.CENTRED)
    state = {key: torch.full_like(value, 0.5) for key, value in network.encoder.state_dict().items()}
    save_file(state, tmp_path / "encoder.safetensors")
    load_weights(network, name, str(tmp_path / "encoder.safetensors"))
    for key, value in network.encoder.state_dict().items():
        assert torch.equal(value, state[key]), key


@pytest.mark.parametrize(
    ("encoder", "of_timm"),
    [
        ("resnet18", "resnet18"),
        ("tu-mobilenetv3_small_050", "mobilenetv3_small_050"),
        ("xception", "legacy_xception"),
        ("inceptionresnetv2", "inception_resnet_v2"),
        ("inceptionv4", "inception_v4"),
        ("dpn68", "dpn68"),
        ("mit_b0", "resnet18"),
    ],
)
def test_images_are_normalised_as_the_weights_of_an_encoder_need_it(encoder: str, of_timm: str) -> None:
    config = timm.get_pretrained_cfg(of_timm)
    for found, expected in zip(segmenter._statistics(encoder), (config.mean, config.std), strict=True):
        assert found == pytest.approx([255 * value for value in expected], rel=1e-3)
