"""A synthetic scene: image, drawn regions, and the masks of simulated annotators."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape


@dataclass(frozen=True)
class Scene:
    image: Image
    """H×W×3, RGB"""
    masks: npt.NDArray[np.bool_]
    """C×h×w, at the mask shape: the labels of the annotators"""
    regions: npt.NDArray[np.bool_]
    """C×H×W: visible pixels where a class was drawn"""
    visible: Mask
    """H×W; invisible pixels are exactly 0 in the image"""

    @property
    def presence(self) -> npt.NDArray[np.bool_]:
        """Which class was drawn (C). The labels may differ."""
        return np.asarray(self.regions.any(axis=(1, 2)))


@dataclass(frozen=True)
class Box:
    """A box, as shares of the image's height and width."""

    top: float
    left: float
    bottom: float
    right: float

    def clipped(self) -> "Box":
        return Box(max(self.top, 0.0), max(self.left, 0.0), min(self.bottom, 1.0), min(self.right, 1.0))

    def fill(self, mask: Mask) -> None:
        """Set the pixels of a mask (H×W) inside the box."""
        height, width = mask.shape
        mask[
            round(self.top * height) : round(self.bottom * height), round(self.left * width) : round(self.right * width)
        ] = True

    def overlap(self, other: "Box") -> float:
        """Common area, as a share of the image's area."""
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        width = min(self.right, other.right) - max(self.left, other.left)
        return max(height, 0.0) * max(width, 0.0)


def drawing_shape(shape: Shape, least: int) -> Shape:
    """The shape in which a scene is drawn before it is resized: at least `least` high, so that textures stay fine."""
    factor = max(1.0, least / shape[0])
    return round(shape[0] * factor), round(shape[1] * factor)
