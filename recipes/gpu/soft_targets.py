"""The teacher's out-of-fold probabilities in one small file, for a student that is trained without a GPU.

    python -m recipes.gpu.soft_targets --maps teacher-xception.maps teacher-lite0.maps --labels labels.npz \\
        --out soft-targets.npz

The mean over encoders, on a grid of 48×72 points, at 32 levels. The corner points of the grid are the corner pixels of
the image: FPN's logits have this grid at 192×288. `read_targets` reads the file.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from recipes.gpu.packed_maps import IMAGES_PER_PART, pack_part, unpack_file, unpack_part

GRID = (48, 72)


class Targets(NamedTuple):
    """Row r of every array belongs to image r."""

    image_ids: np.ndarray
    fold: np.ndarray
    """The fold of the image; its probabilities come from networks that did not train on this fold."""
    maps: np.ndarray
    """N×C×48×72 uint8, 0 to 255"""
    presence: np.ndarray
    """N×C float32, 0 to 1"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=Path, nargs="+", required=True, help="packed by `run.py collect`")
    parser.add_argument("--labels", type=Path, required=True, help="labels.npz of pack.py")
    parser.add_argument("--levels", type=int, default=32)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    encoders = [unpack_file(path) for path in options.maps]
    count = len(encoders[0]["maps"])
    maps = np.concatenate(
        [
            shrink([encoder["maps"][begin : begin + IMAGES_PER_PART] for encoder in encoders], options.levels)
            for begin in range(0, count, IMAGES_PER_PART)
        ]
    )
    presence = np.mean([encoder["presence"] for encoder in encoders], axis=0)
    labels = np.load(options.labels)
    write_targets(options.out, labels["image_ids"][:count], labels["fold"][:count], maps, presence, options.levels)
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.2f} MiB")


def shrink(encoder_maps: list[np.ndarray], levels: int) -> np.ndarray:
    """Maps of several encoders (each n×C×h×w, 0 to 255) → levels of their mean on the small grid."""
    mean = torch.from_numpy(np.mean([maps.astype(np.float32) for maps in encoder_maps], axis=0))
    small = torch.nn.functional.interpolate(mean, size=GRID, mode="bilinear", align_corners=True)
    return (small * ((levels - 1) / 255)).round().byte().numpy()


def write_targets(
    path: Path, image_ids: np.ndarray, fold: np.ndarray, maps: np.ndarray, presence: np.ndarray, levels: int
) -> None:
    """`maps` are levels, 0 to `levels` - 1."""
    parts = [pack_part(maps[begin : begin + IMAGES_PER_PART]) for begin in range(0, len(maps), IMAGES_PER_PART)]
    np.savez(
        path, image_ids=image_ids, fold=fold, presence=presence.astype(np.float16), levels=levels, shape=maps.shape,
        sizes=[len(part) for part in parts], content=np.frombuffer(b"".join(parts), np.uint8),
    )  # fmt: skip


def read_targets(path: Path) -> Targets:
    with np.load(path) as file:
        _, classes, height, width = (int(side) for side in file["shape"])
        contents = np.split(file["content"], np.cumsum(file["sizes"])[:-1])
        parts = [unpack_part(content.tobytes(), (classes, height, width)) for content in contents]
        maps = np.rint(np.concatenate(parts).astype(np.float32) * (255 / (int(file["levels"]) - 1))).astype(np.uint8)
        return Targets(file["image_ids"], file["fold"], maps, file["presence"].astype(np.float32))


if __name__ == "__main__":
    main()
