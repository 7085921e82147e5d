"""CutMix: every picture of a batch gets a rectangle of another one, with its truth."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.masks.geometry import Image
from pipeline.masks.rle import Shape


class Arrays(NamedTuple):
    """A batch, before it becomes tensors."""

    images: Image
    """N×H×W×3"""
    planes: npt.NDArray[np.uint8]
    """N×H×W"""
    visible: npt.NDArray[np.bool_]
    """N×H×W"""
    presence: npt.NDArray[np.float32]
    """N×C"""


class Box(NamedTuple):
    top: int
    left: int
    bottom: int
    right: int


def draw_box(shape: Shape, random: np.random.Generator) -> Box:
    """A rectangle in the picture's proportions whose area is any share of it, somewhere inside."""
    side = np.sqrt(random.random())
    height, width = round(shape[0] * side), round(shape[1] * side)
    top, left = int(random.integers(shape[0] - height + 1)), int(random.integers(shape[1] - width + 1))
    return Box(top, left, top + height, left + width)


def cut_and_mix(batch: Arrays, box: Box) -> Arrays:
    """The box of each picture comes from the one before it; presence is mixed by area, as nothing better is known

    of a picture whose class may lie in the box or beside it.
    """
    inside = np.s_[:, box.top : box.bottom, box.left : box.right]

    def mix(arrays: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        mixed = arrays.copy()
        mixed[inside] = np.roll(arrays, 1, axis=0)[inside]
        return mixed

    height, width = batch.planes.shape[1:]
    share = (box.bottom - box.top) * (box.right - box.left) / (height * width)
    presence = (1 - share) * batch.presence + share * np.roll(batch.presence, 1, axis=0)
    images, planes, visible = (mix(arrays) for arrays in batch[:3])
    return Arrays(images, planes, visible, presence.astype(np.float32))  # type: ignore[arg-type]
