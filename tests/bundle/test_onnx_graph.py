"""Export to ONNX: the graph, with weights in the checkpoint."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from nephoscope.bundle.onnx_graph import write_onnx
from nephoscope.inference.torch_engine import TorchEngine
from nephoscope.models.checkpoint import build_network, save_checkpoint
from nephoscope.models.metadata import load_metadata
from nephoscope.settings.section import Machine
from tests.builders.network_metadata import metadata

SHAPE = (64, 96)
NETWORKS = {
    "classifier in 16 bits": {"kind": "classifier", "encoder": "tf_efficientnet_lite0"},
    "FPN in 16 bits": {"architecture": "FPN", "encoder": "timm-tf_efficientnet_lite0"},
    "Unet": {"architecture": "Unet", "encoder": "resnet18"},
}

pytestmark = pytest.mark.xdist_group("exported networks")


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    header = metadata(**NETWORKS[request.param], input_shape=SHAPE)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("exported") / "network.safetensors"
    save_checkpoint(path, build_network(header), header, half="16" in request.param)
    write_onnx(path)
    return path


@pytest.fixture
def checkpoint(exported: Path, tmp_path: Path) -> Path:
    """In another folder than it was exported to."""
    return Path(shutil.copytree(exported.parent, tmp_path / "model")) / exported.name


def run_onnx(path: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path.with_suffix(".onnx"), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"images": images.transpose(0, 3, 1, 2)})[0])


def test_it_matches_pytorch_for_any_number_of_images(checkpoint: Path) -> None:
    engine = TorchEngine.open(checkpoint, Machine(accelerator="cpu", precision="fp32"))
    for count in (1, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, *SHAPE, 3), np.uint8)
        np.testing.assert_allclose(run_onnx(checkpoint, images), engine(images), atol=1e-4)


def test_its_weights_are_read_from_the_checkpoint(checkpoint: Path) -> None:
    size = checkpoint.with_suffix(".onnx").stat().st_size
    # A U-Net's decoder is folded: its weights are copied, those of the encoder are not.
    assert size < (0.2 if load_metadata(checkpoint).architecture != "Unet" else 0.9) * checkpoint.stat().st_size
    images = np.random.default_rng(0).integers(0, 256, (1, *SHAPE, 3), np.uint8)
    before = run_onnx(checkpoint, images)
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    assert not np.allclose(run_onnx(checkpoint, images), before)


def test_it_cannot_be_opened_without_its_checkpoint(checkpoint: Path) -> None:
    checkpoint.unlink()
    with pytest.raises(Exception, match=r"network\.safetensors"):
        run_onnx(checkpoint, np.zeros((1, *SHAPE, 3), np.uint8))
