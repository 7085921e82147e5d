"""Augmentation on the device: row numbers and random numbers in, images and targets out."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from recipes.gpu.data import CLASS_COUNT, Data
from recipes.gpu.network import Settings

NOISE_COUNT = 14
"""Random numbers per image and step."""


@dataclass
class SoftTargets:
    """A teacher's probabilities for all images."""

    maps: Tensor
    """N×C×h×w uint8, 0 to 255; the corners of the grid are the corners of the image"""
    presence: Tensor
    """N×C"""
    shape: tuple[int, int]
    """Shape of the images that the teacher read."""


class Batch(NamedTuple):
    images: Tensor
    """N×3×H×W"""
    truth: Tensor
    """N×C×h×w"""
    visible: Tensor
    """N×1×h×w"""
    presence: Tensor
    """N×C"""
    soft: Tensor
    """N×C×h×w, of the teacher"""
    soft_presence: Tensor
    """N×C, of the teacher"""


def grid_points(count: int, length: int, device: torch.device) -> Tensor:
    """`count` points from the centre of the first pixel to that of the last of `length` pixels, in -1 to 1."""
    positions = torch.linspace(0, length - 1, count, device=device)
    return (2 * positions + 1) / length - 1


def make_mesh(rows: Tensor, columns: Tensor) -> Tensor:
    """H×W×2: x, y"""
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)


class Augment:
    """Row numbers (N) and random numbers (N×14, 0 to 1) → a batch."""

    def __init__(self, data: Data, settings: Settings, soft: SoftTargets | None) -> None:
        self.images, self.planes, self.presence = data.at(settings.shape), data.planes, data.presence
        self.settings, self.soft = settings, soft
        device, (height, width) = self.images.device, settings.shape
        self.fine = make_mesh(grid_points(height, height, device), grid_points(width, width, device))
        # FPN's logits have a quarter of the shape, and are enlarged with aligned corners.
        self.coarse = make_mesh(grid_points(height // 4, height, device), grid_points(width // 4, width, device))
        self.aspect = width / height
        if soft is not None:
            self.to_corners = torch.tensor([side / (side - 1) for side in soft.shape[::-1]], device=device)

    def __call__(self, rows: Tensor, noise: Tensor) -> Batch:
        matrix, offset = self._affine(noise)
        images = functional.grid_sample(
            self.images.index_select(0, rows).float(), _warp(self.fine, matrix, offset), align_corners=False
        )
        images = self._relight(images, noise)
        points = _warp(self.coarse, matrix, offset)
        planes = functional.grid_sample(self.planes.index_select(0, rows).float() / 255, points, align_corners=False)
        truth, visible = planes[:, :CLASS_COUNT], planes[:, CLASS_COUNT:] > 0.5
        presence = self.presence.index_select(0, rows)
        soft, soft_presence = truth, presence
        if self.soft is not None:
            maps = self.soft.maps.index_select(0, rows).float() / 255
            soft = functional.grid_sample(maps, points * self.to_corners, align_corners=True)
            soft_presence = self.soft.presence.index_select(0, rows)
        return self._cutmix(Batch(images, truth, visible, presence, soft, soft_presence), noise)

    def _affine(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """N×2×2 and N×2, in -1 to 1: from a position in the new image to the position in the old one."""
        settings = self.settings
        moved = (noise[:, 6] < settings.geometric).float()
        angle = (2 * noise[:, 2] - 1) * math.radians(settings.degrees) * moved
        scale = 1 + (2 * noise[:, 3] - 1) * settings.scale * moved
        flip = torch.where(noise[:, :2] < 0.5, -1.0, 1.0)
        cosine, sine = angle.cos() * scale, angle.sin() * scale
        rows = [torch.stack([cosine, -sine / self.aspect], 1), torch.stack([sine * self.aspect, cosine], 1)]
        matrix = torch.stack(rows, 1) * flip[:, :, None]
        return matrix, (2 * noise[:, 4:6] - 1) * 2 * settings.shift * moved[:, None]

    def _relight(self, images: Tensor, noise: Tensor) -> Tensor:
        """Brightness and contrast. Black pixels stay black: they were not seen."""
        lit = (noise[:, 9] < self.settings.light).float()
        gain = 1 + (2 * noise[:, 7] - 1) * 0.12 * lit
        offset = (2 * noise[:, 8] - 1) * 12 * lit
        brighter = images * gain.view(-1, 1, 1, 1) + offset.view(-1, 1, 1, 1)
        return torch.where(images > 0, brighter.clamp(0, 255), images)

    def _cutmix(self, batch: Batch, noise: Tensor) -> Batch:
        """In some images, paste a rectangle of the previous image of the batch.

        The presence of a class is reduced if less than a third of its mask remains.
        """
        chosen = (noise[:, 10] < self.settings.cutmix).float()
        side = noise[:, 11].sqrt() * chosen
        centre = (2 * noise[:, 12:14] - 1) * (1 - side[:, None])

        def inside(mesh: Tensor) -> Tensor:
            return ((mesh[None] - centre[:, None, None]).abs() < side[:, None, None, None]).all(-1)[:, None]

        fine, coarse = inside(self.fine), inside(self.coarse)

        def mix_presence(maps: Tensor, own: Tensor) -> Tensor:
            pasted = own.roll(1, 0) * _remaining(maps.roll(1, 0), coarse)
            mixed = torch.maximum(own * _remaining(maps, ~coarse), pasted)
            return torch.where(chosen[:, None] > 0, mixed, own)

        return Batch(
            _paste(fine, batch.images),
            _paste(coarse, batch.truth),
            _paste(coarse, batch.visible),
            mix_presence(batch.truth, batch.presence),
            _paste(coarse, batch.soft),
            mix_presence(batch.soft, batch.soft_presence),
        )


def _warp(mesh: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    return torch.einsum("hwk,njk->nhwj", mesh, matrix) + offset[:, None, None]


def _paste(mask: Tensor, own: Tensor) -> Tensor:
    return torch.where(mask, own.roll(1, 0), own)


def _remaining(maps: Tensor, kept: Tensor) -> Tensor:
    """Three times the kept share of every map, at most 1."""
    return ((maps * kept).sum((2, 3)) / maps.sum((2, 3)).clamp(min=1e-3) * 3).clamp(max=1)
