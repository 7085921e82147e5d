"""The plain U-Net that is trained from scratch: few filters, batch norm, dropout."""

import torch
from torch import Tensor, nn


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
