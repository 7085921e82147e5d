"""Augmentation of an image with its truth, and CutMix of a batch. The only file that imports albumentations."""

import os
from typing import Any, NamedTuple

import albumentations
import numpy as np
import numpy.typing as npt

from nephoscope.masks.geometry import Image, Planes
from nephoscope.masks.rle import Mask, Shape
from nephoscope.settings.training import Augmentation

# Otherwise it searches the internet for a newer version at import.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


class Sample(NamedTuple):
    image: Image
    planes: Planes
    """H×W; bit c is class c"""
    visible: Mask


class Augment:
    """A sample and a seed → an augmented sample, the same for the same seed. Pixels from outside are invisible."""

    def __init__(self, settings: Augmentation) -> None:
        self.settings = settings
        self.steps = _build_steps(settings)

    def __call__(self, sample: Sample, seed: int) -> Sample:
        random = np.random.default_rng(seed)
        if random.random() < self.settings.horizontal_flip:
            sample = Sample(sample.image[:, ::-1], sample.planes[:, ::-1], sample.visible[:, ::-1])
        if random.random() < self.settings.vertical_flip:
            sample = Sample(sample.image[::-1], sample.planes[::-1], sample.visible[::-1])
        return sample if self.steps is None else self._distort(sample, seed)

    def _distort(self, sample: Sample, seed: int) -> Sample:
        self.steps.set_random_seed(seed)
        image, planes, visible = (np.ascontiguousarray(array) for array in sample)
        # Masks are resampled by nearest neighbour, so that the bits of a plane stay intact. OpenCV resamples bytes.
        parts = np.moveaxis(planes.view(np.uint8).reshape(*planes.shape, -1), -1, 0)
        masks = [*map(np.ascontiguousarray, parts), visible.view(np.uint8)]
        augmented = self.steps(image=image, masks=masks)
        *parts, visible = augmented["masks"]
        joined = np.ascontiguousarray(np.stack(parts, -1)).view(planes.dtype)[..., 0]
        return Sample(augmented["image"], joined, visible.astype(bool))


def _build_steps(settings: Augmentation) -> Any:
    degrees = settings.rotation_degrees
    steps = {
        albumentations.Rotate(limit=degrees, p=1): settings.rotation,
        albumentations.GridDistortion(p=1): settings.grid_distortion,
        albumentations.Affine(
            scale=(0.9, 1.1), translate_percent=(-0.06, 0.06), rotate=(-degrees, degrees), p=1
        ): settings.shift_scale_rotate,
        albumentations.RandomBrightnessContrast(p=1): settings.brightness,
    }
    chosen = [step for step, share in steps.items() if share > 0]
    for step in chosen:
        step.p = steps[step]
    return albumentations.Compose(chosen) if chosen else None


class Arrays(NamedTuple):
    """A batch as arrays."""

    images: Image
    """N×H×W×3"""
    planes: Planes
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
    """A random rectangle inside the image, with the image's aspect ratio and a uniformly drawn share of its area."""
    side = np.sqrt(random.random())
    height, width = round(shape[0] * side), round(shape[1] * side)
    top, left = int(random.integers(shape[0] - height + 1)), int(random.integers(shape[1] - width + 1))
    return Box(top, left, top + height, left + width)


def cut_and_mix(batch: Arrays, box: Box) -> Arrays:
    """Replace the box of each image by that of the image before it, with its truth.

    Presence is mixed by area, because it is not known whether a class lies inside or outside the box.
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
