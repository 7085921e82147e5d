"""What a drawer of scenes gives: a picture, what was drawn into it, and what annotators say of it."""

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
    """C×h×w, at the shape that was asked for: what the annotators say"""
    regions: npt.NDArray[np.bool_]
    """C×H×W: where a class was drawn, and can be seen"""
    visible: Mask
    """H×W: false where the picture shows nothing, its pixels exactly 0"""

    @property
    def presence(self) -> npt.NDArray[np.bool_]:
        """Which class was drawn (C), whatever the annotators say."""
        return np.asarray(self.regions.any(axis=(1, 2)))


@dataclass(frozen=True)
class Box:
    """Borders as shares of the picture's height and width."""

    top: float
    left: float
    bottom: float
    right: float

    def clipped(self) -> "Box":
        return Box(max(self.top, 0.0), max(self.left, 0.0), min(self.bottom, 1.0), min(self.right, 1.0))

    def fill(self, mask: Mask) -> None:
        """Set the pixels of a mask (H×W) that lie in the box."""
        height, width = mask.shape
        mask[
            round(self.top * height) : round(self.bottom * height), round(self.left * width) : round(self.right * width)
        ] = True

    def overlap(self, other: "Box") -> float:
        """Common area, as a share of the picture's."""
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        width = min(self.right, other.right) - max(self.left, other.left)
        return max(height, 0.0) * max(width, 0.0)


def drawing_shape(shape: Shape, least: int) -> Shape:
    """The shape in which a scene is drawn before it is resized: small pictures are seen from afar, not drawn coarse."""
    factor = max(1.0, least / shape[0])
    return round(shape[0] * factor), round(shape[1] * factor)
