"""What became of every pixel: hit, miss, false alarm or right nothing, outlined over the picture in four colours.

The four are told apart by colour-blind people, and none is green, which they see as the grey of clouds.
"""

from dataclasses import dataclass

from pipeline.masks.colours import Colour
from pipeline.masks.outlines import light_path
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


def outline_outcomes(truth: Mask, predicted: Mask) -> dict[str, str]:
    """Truth and predicted mask of one class (H×W each) → per outcome that occurs the path of an SVG around it."""
    height, width = truth.shape
    where = {HIT: truth & predicted, MISS: truth & ~predicted, FALSE_ALARM: predicted & ~truth}
    paths = {outcome.name: light_path(mask) for outcome, mask in where.items()}
    # The frame of the picture, and in it everything else as holes.
    paths[RIGHT_NOTHING.name] = f"M0 0H{width}V{height}H0z{light_path(truth | predicted)}"
    return {name: path for name, path in paths.items() if path}
