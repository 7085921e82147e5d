"""The packed images and labels of `pack.py`, as tensors on the device."""

import lzma
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

CLASS_COUNT = 4
FOLD_COUNT = 5
THREADS = 16


@dataclass
class Data:
    """All images, on the device."""

    image_ids: np.ndarray
    fold: np.ndarray
    presence: Tensor
    """N×C, 0 or 1"""
    planes: Tensor
    """N×5×h×w uint8, 0 or 255: the classes, then the visible pixels"""
    images: Tensor
    """N×3×H×W uint8, RGB"""
    resized: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def at(self, shape: tuple[int, int]) -> Tensor:
        """The images at another shape. They are resized once and kept."""
        if tuple(self.images.shape[2:]) == tuple(shape):
            return self.images
        if shape not in self.resized:
            self.resized[shape] = torch.cat([_resize(part, shape) for part in self.images.split(256)])
        return self.resized[shape]

    def subset(self, rows: np.ndarray) -> "Data":
        return Data(
            self.image_ids[rows], self.fold[rows], self.presence[rows], self.planes[rows], self.images[rows]
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.image_ids)


def _resize(images: Tensor, shape: tuple[int, int]) -> Tensor:
    resized = functional.interpolate(images.float(), size=shape, mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).byte()


def load_data(folder: Path, device: torch.device) -> Data:
    labels = np.load(folder / "labels.npz")
    planes = np.frombuffer(lzma.decompress(labels["planes"].tobytes()), np.uint8).reshape(labels["shape"])
    packed = torch.from_numpy(planes.copy()).to(device)[:, None]
    bits = torch.arange(CLASS_COUNT + 1, device=device, dtype=torch.uint8).view(1, -1, 1, 1)
    images = torch.from_numpy(decode_images(folder)).to(device).permute(0, 3, 1, 2).contiguous()
    count = len(images)  # fewer than the labels if some files of images are missing
    return Data(
        labels["image_ids"][:count],
        labels["fold"][:count],
        torch.from_numpy(labels["presence"][:count].astype(np.float32)).to(device),
        (packed[:count] >> bits & 1) * 255,
        images,
    )


def decode_images(folder: Path) -> np.ndarray:
    """All files `pictures-<number>.npz` → N×H×W×3 uint8, RGB, in the order of the labels."""
    encoded: list[np.ndarray] = []
    for path in sorted(folder.glob("pictures-*.npz"), key=lambda path: int(path.stem.split("-")[1])):
        file = np.load(path)
        encoded += np.split(file["content"], np.cumsum(file["sizes"])[:-1])
    first = cv2.imdecode(encoded[0], cv2.IMREAD_COLOR)
    images = np.empty((len(encoded), *first.shape), np.uint8)

    def decode(row: int) -> None:
        images[row] = cv2.imdecode(encoded[row], cv2.IMREAD_COLOR)[..., ::-1]

    cv2.setNumThreads(1)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(decode, range(len(encoded))))
    return images
