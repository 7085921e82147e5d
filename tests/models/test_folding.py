import pytest
import torch

from nephoscope.models.folding import fold_decoder
from nephoscope.models.segmenter import build_segmenter


def trained_a_little(architecture: str) -> torch.nn.Module:
    """A network with weights and batch statistics unlike those of a new one."""
    torch.manual_seed(0)
    network = build_segmenter(architecture, "tu-tf_efficientnet_lite0", 4)
    with torch.no_grad():
        for name, values in network.named_buffers():
            if name.endswith("running_mean"):
                values.normal_(0, 0.1)
            if name.endswith("running_var"):
                values.uniform_(0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("shape", [(64, 96), (50, 70)])  # the second has to be padded
@torch.no_grad()
def test_a_folded_decoder_computes_the_same(shape: tuple[int, int]) -> None:
    network = trained_a_little("Unet")
    images = torch.randint(0, 255, (2, 3, *shape), dtype=torch.uint8)
    before = network(images)
    folded = fold_decoder(network)
    torch.testing.assert_close(folded(images), before, atol=1e-4, rtol=1e-4)
    assert sum(isinstance(part, torch.nn.ConvTranspose2d) for part in folded.modules()) == 5
    assert torch.equal(network(images), before)  # the original is unchanged


@pytest.mark.parametrize("architecture", ["FPN", "VanillaUnet"])
def test_other_architectures_stay_unchanged(architecture: str) -> None:
    weights = {"encoder": "tu-tf_efficientnet_lite0", "class_count": 4}
    network = build_segmenter(architecture, **weights)
    assert fold_decoder(network) is network
