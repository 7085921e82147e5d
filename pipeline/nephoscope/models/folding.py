"""The same network with less to compute, for prediction alone.

A U-Net's decoder doubles a map by repeating its pixels and runs a 3×3 convolution over it and the encoder's map beside
it. Over repeated pixels that is a transposed 4×4 convolution of stride 2 over the small map: four products where nine
were, and neither the doubled map nor the two side by side are ever written. The results differ by rounding alone.
"""

import copy
from typing import Any

import torch
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TAPS = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Row k: the weights of the 3×3 convolution that come together in the k-th of the transposed one, along either axis."""


def fold_decoder(network: nn.Module) -> nn.Module:
    """A trained network → one that computes the same, or the same network where there is nothing to fold."""
    if not isinstance(getattr(getattr(network, "body", None), "decoder", None), UnetDecoder):
        return network
    folded: Any = copy.deepcopy(network).eval()
    blocks = folded.body.decoder.blocks
    skipped = [*folded.body.encoder.out_channels[-2:0:-1], 0]
    for index, block in enumerate(blocks):
        blocks[index] = FoldedBlock(block, skipped[index])
    result: nn.Module = folded
    return result


class FoldedBlock(nn.Module):
    """One block of a decoder; `skipped` channels come from the encoder."""

    def __init__(self, block: Any, skipped: int) -> None:
        super().__init__()
        convolution, norm, self.activation = block.conv1
        fused = fuse_conv_bn_eval(convolution, norm)
        doubled = fused.in_channels - skipped
        self.up = nn.ConvTranspose2d(doubled, fused.out_channels, 4, 2, 1)
        self.up.weight.data = torch.einsum("kd,le,oide->iokl", TAPS, TAPS, fused.weight.data[:, :doubled]).contiguous()
        self.up.bias = fused.bias
        self.beside = nn.Conv2d(skipped, fused.out_channels, 3, padding=1, bias=False) if skipped else None
        if self.beside is not None:
            self.beside.weight.data = fused.weight.data[:, doubled:].contiguous()
        self.rest = block.conv2

    def forward(self, small: Tensor, height: int, width: int, skip_connection: Tensor | None = None) -> Tensor:  # noqa: ARG002
        found = self.up(small)
        if self.beside is not None:
            found = found + self.beside(skip_connection)
        result: Tensor = self.rest(self.activation(found))
        return result
