"""Augmentation of one picture with its truth. The only file that imports albumentations."""

import os
from typing import Any, NamedTuple

# It would ask the internet for a newer version of itself.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations
import numpy as np
import numpy.typing as npt

from pipeline.masks.geometry import Image
from pipeline.masks.rle import Mask
from pipeline.params import Augmentation


class Sample(NamedTuple):
    image: Image
    planes: npt.NDArray[np.uint8]
    """H×W; bit c is class c"""
    visible: Mask


class Augment:
    """A sample and a seed → another sample; the same seed gives the same. What comes from outside is invisible."""

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
        image, *masks = (np.ascontiguousarray(array) for array in sample)
        # Masks are resampled by the nearest pixel, so the bits of a plane stay whole.
        done = self.steps(image=image, masks=[mask.view(np.uint8) for mask in masks])
        planes, visible = done["masks"]
        return Sample(done["image"], planes, visible.astype(bool))


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
