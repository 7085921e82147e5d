from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from nephoscope.errors import UserError
from nephoscope.models.checkpoint import load_checkpoint, save_checkpoint
from nephoscope.models.classifier import Classifier, build_classifier
from nephoscope.models.metadata import CheckpointError, NetworkMetadata
from nephoscope.models.network import pad_to_multiple
from nephoscope.models.segmenter import build_segmenter
from nephoscope.models.weights import WeightsError, read_bundled
from tests.builders.network_metadata import METADATA, metadata


def images(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [
        ("Unet", "efficientnet-b0"),
        ("UnetPlusPlus", "resnet18"),
        ("FPN", "mobilenet_v2"),
        ("PSPNet", "resnet34"),
        ("Linknet", "vgg11"),
        ("DeepLabV3Plus", "resnet18"),
        ("Unet", "inceptionresnetv2"),
        ("Unet", "timm-tf_efficientnet_lite0"),
        ("VanillaUnet", ""),
    ],
)
def test_logits_of_a_segmenter_have_the_shape_of_its_input(architecture: str, encoder: str) -> None:
    network = build_segmenter(architecture, encoder, 3).eval()
    with torch.inference_mode():
        assert network(images(50, 75)).shape == (2, 3, 50, 75)


@pytest.mark.parametrize("architecture", ["Unet", "FPN", "PSPNet", "UPerNet", "DeepLabV3Plus"])
def test_a_narrow_decoder_is_smaller_and_is_restored_from_its_checkpoint(architecture: str, tmp_path: Path) -> None:
    full, half = (build_segmenter(architecture, "resnet18", 2, decoder_width=width) for width in (1.0, 0.5))
    sizes = [sum(weight.numel() for weight in network.decoder_parameters()) for network in (full, half)]
    assert sizes[1] < 0.8 * sizes[0]
    metadata = NetworkMetadata(
        "segmenter", architecture, "resnet18", (64, 64), METADATA, "seed0", 0, -1, 0, 0.5, {"decoder_width": 0.5}
    )
    save_checkpoint(tmp_path / "half.safetensors", half, metadata)
    again = load_checkpoint(tmp_path / "half.safetensors")[0]
    with torch.inference_mode():
        assert torch.equal(again(images(64, 64)), half.eval()(images(64, 64)))


@pytest.mark.parametrize("encoder", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_050"])
def test_a_classifier_takes_any_shape(encoder: str) -> None:
    network = build_classifier(encoder, 3, (50, 75)).eval()
    with torch.inference_mode():
        assert network(images(50, 75)).shape == (2, 3)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "tu-tf_efficientnet_lite0", "timm-tf_efficientnet_lite0"])
def test_bundled_weights_fill_the_whole_encoder(name: str) -> None:
    if name != "tf_efficientnet_lite0":
        network = build_segmenter("Unet", name, 2, weights="bundled")
        stem = network.encoder.conv_stem.weight
    else:
        network = build_classifier(name, 2, (64, 64), weights="bundled")
        stem = network.encoder.conv_stem.weight
    assert torch.equal(stem, read_bundled(name)["conv_stem.weight"])


@pytest.mark.parametrize(
    ("encoder", "weights", "message"),
    [
        ("resnet18", "bundled", "no package bundles 'resnet18'. Bundled are tf_efficientnet_lite0"),
        ("resnet18", "some/file.pth", "neither bundled, hub, none nor a .safetensors file"),
        ("resnet18", "some/file.safetensors", "cannot be read"),
        ("resnet0815", "none", "timm has no model 'resnet0815'"),
    ],
)
def test_missing_weights_name_the_alternatives(encoder: str, weights: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_classifier(encoder, 2, (64, 64), weights=weights)


def test_every_parameter_belongs_to_the_encoder_or_the_decoder() -> None:
    for network in (build_classifier("resnet18", 2, (64, 64)), build_segmenter("Unet", "resnet18", 2)):
        encoder, decoder = (
            {id(parameter) for parameter in parameters}
            for parameters in (network.encoder_parameters(), network.decoder_parameters())
        )
        assert not encoder & decoder
        assert encoder | decoder == {id(parameter) for parameter in network.parameters()}


def test_a_checkpoint_restores_the_network(tmp_path: Path) -> None:
    network = build_segmenter("Unet", "resnet18", 2).eval()
    save_checkpoint(tmp_path / "network.safetensors", network, metadata())
    loaded, loaded_metadata = load_checkpoint(tmp_path / "network.safetensors")
    assert loaded_metadata == metadata()
    with torch.inference_mode():
        assert torch.equal(loaded(images(32, 48)), network(images(32, 48)))


def test_a_file_of_another_program_is_rejected(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="is not a checkpoint of nephoscope"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_a_checkpoint_of_an_earlier_version_is_rejected(tmp_path: Path) -> None:
    header = {key: text.replace("output_shape", "judged_shape") for key, text in metadata().to_header().items()}
    save_file({"weight": torch.zeros(1)}, tmp_path / "old.safetensors", metadata=header)
    with pytest.raises(UserError, match=r"written by an earlier version of nephoscope .*; train the network again"):
        load_checkpoint(tmp_path / "old.safetensors")


def test_a_trained_encoder_initialises_another_network(tmp_path: Path) -> None:
    trained = build_segmenter("Unet", "resnet18", 2)
    save_checkpoint(tmp_path / "network.safetensors", trained, metadata())
    initialised = build_segmenter("Unet", "resnet18", 3, weights=str(tmp_path / "network.safetensors"))
    for ours, theirs in zip(initialised.encoder_parameters(), trained.encoder_parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_segmenter_and_classifier_with_the_same_weights_have_the_same_features(tmp_path: Path) -> None:
    """Padding, norms and normalisation match the training of the weights."""
    segmenter = build_segmenter("FPN", "tu-tf_efficientnet_lite0", 3, weights="bundled").eval()
    classifier = build_classifier("tf_efficientnet_lite0", 2, (64, 96), weights="bundled").eval()
    pictures = images(64, 96)
    with torch.inference_mode():
        features = segmenter.body.encoder(segmenter.normalise(pictures))[-1]
        assert torch.equal(features, classifier.body.blocks(_stem(classifier, pictures)))
    save_checkpoint(tmp_path / "segmenter.safetensors", segmenter, metadata())
    again = build_classifier("tf_efficientnet_lite0", 2, (64, 96), weights=str(tmp_path / "segmenter.safetensors"))
    head = {"body.classifier.weight", "body.classifier.bias"}
    for key, value in classifier.state_dict().items():
        assert key in head or torch.equal(again.state_dict()[key], value), key


def _stem(classifier: Classifier, pictures: torch.Tensor) -> torch.Tensor:
    stem: torch.Tensor = classifier.body.bn1(classifier.body.conv_stem(classifier.normalise(pictures)))
    return stem


@pytest.mark.parametrize("encoder", ["tu-tf_efficientnet_lite0", "timm-tf_efficientnet_lite0"])
def test_a_network_can_start_from_the_encoder_of_the_other_kind(encoder: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    segmenter = build_segmenter("Unet", encoder, 3)
    save_file(segmenter.state_dict(), tmp_path / "segmenter.safetensors")
    classifier = build_classifier("tf_efficientnet_lite0", 2, (32, 48), weights=str(tmp_path / "segmenter.safetensors"))
    for key, value in segmenter.encoder.state_dict().items():
        assert torch.equal(classifier.body.state_dict()[key], value), key

    save_file(classifier.state_dict(), tmp_path / "classifier.safetensors")
    other = build_segmenter("FPN", encoder, 3, weights=str(tmp_path / "classifier.safetensors"))
    for key, value in other.encoder.state_dict().items():
        assert torch.equal(segmenter.encoder.state_dict()[key], value), key


def test_an_encoder_of_another_size_does_not_fit(tmp_path: Path) -> None:
    save_file(build_segmenter("Unet", "resnet18", 3).state_dict(), tmp_path / "segmenter.safetensors")
    with pytest.raises(WeightsError, match="does not fit the encoder"):
        build_classifier("tf_efficientnet_lite0", 2, (32, 48), weights=str(tmp_path / "segmenter.safetensors"))


@pytest.mark.parametrize(
    ("encoder", "close"),
    [
        ("tu-efficientnet_bo", "tu-efficientnet_b0"),
        ("timm-nonsense", "tu-<timm model>"),
        ("tu-hf-hub:someone/else", "tu-<timm model>"),
        ("tu-local-dir:/tmp/nowhere", "tu-<timm model>"),
        ("timm-resnet18", "tu-<timm model>"),
        ("resnet", "resnet18"),
    ],
)
def test_an_unknown_encoder_is_rejected_without_asking_the_hub(encoder: str, close: str) -> None:
    with pytest.raises(UserError, match=f"smp has no encoder '{encoder}'; similar names: .*{close}"):
        build_segmenter("FPN", encoder, 2)


def test_a_classifier_normalises_images_as_timm_does() -> None:
    network, config = build_classifier("resnet10t", 2, (32, 32)), timm.get_pretrained_cfg("resnet10t")
    pixels = torch.randint(0, 256, (1, 3, 4, 4), dtype=torch.uint8)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    torch.testing.assert_close(network.normalise(pixels), (pixels / 255 - mean) / deviation)


def test_images_are_padded_by_repeating_the_last_row_and_column() -> None:
    pictures = images(5, 9).float()
    expected = np.pad(pictures.numpy(), ((0, 0), (0, 0), (0, 3), (0, 7)), mode="edge")
    assert (pad_to_multiple(pictures, 8).numpy() == expected).all()
    assert pad_to_multiple(pictures[..., :4, :8], 4).shape == (2, 3, 4, 8)
