"""What became of every pixel: hit, miss, false alarm or right nothing, drawn over the picture in four colours.

The four are told apart by colour-blind people, and none is green, which they see as the grey of clouds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.masks.colours import Colour
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Mask


@dataclass(frozen=True)
class Outcome:
    name: str
    colour: Colour
    opacity: float
    meaning: str


HIT = Outcome("hit", (86, 180, 233), 0.6, "annotated and predicted")
MISS = Outcome("miss", (240, 228, 66), 0.65, "annotated, not predicted")
FALSE_ALARM = Outcome("false alarm", (213, 94, 0), 0.65, "predicted, not annotated")
RIGHT_NOTHING = Outcome("right nothing", (24, 24, 32), 0.6, "neither: the picture, dimmed")
OUTCOMES = (HIT, MISS, FALSE_ALARM, RIGHT_NOTHING)


def draw_outcomes(image: Image, truth: Mask, predicted: Mask) -> Image:
    """Image (H×W×3), truth and predicted mask of one class (H×W each) → a new image."""
    where = {HIT: truth & predicted, MISS: truth & ~predicted, FALSE_ALARM: predicted & ~truth}
    canvas = _blend(image, RIGHT_NOTHING)
    for outcome, mask in where.items():
        canvas[mask] = _blend(image[mask], outcome)
    return np.round(canvas).astype(np.uint8)


def _blend(pixels: npt.NDArray[np.uint8], outcome: Outcome) -> npt.NDArray[np.float64]:
    return np.asarray((1 - outcome.opacity) * pixels + outcome.opacity * np.array(outcome.colour), np.float64)
