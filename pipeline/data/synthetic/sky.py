"""What is around the clouds: the ocean, the sun's glint on it, and the black strip between two orbits."""

from dataclasses import dataclass

import numpy as np

from pipeline.data.synthetic.fields import Field, band_noise, coordinates
from pipeline.masks.rle import Mask, Shape

# Chosen so that, under haze, the darkest fifth of the pixels has the mean colour it has in real pictures (16, 21, 40).
OCEAN_COLOUR = (8.0, 13.0, 32.0)
CLOUD_COLOUR = (264.0, 264.0, 266.0)  # of endless thickness
GLINT_COLOUR = (1.0, 0.98, 0.86)
# Measured there: strips lean by a fixed angle either way; widths at the top and at the bottom, of two kinds.
STRIP_LEAN = 0.222
STRIP_WIDTHS = ((0.08, 0.2), (0.23, 0.16))


@dataclass(frozen=True)
class Strip:
    """Borders at the top and at the bottom of the picture, as shares of its width."""

    left: tuple[float, float]
    right: tuple[float, float]

    def visible(self, shape: Shape) -> Mask:
        rows, columns = coordinates(shape)
        columns = columns * np.float32(shape[0] / shape[1])
        left = self.left[0] + (self.left[1] - self.left[0]) * rows
        right = self.right[0] + (self.right[1] - self.right[0]) * rows
        return np.asarray((columns < left) | (columns > right))


def draw_strip(rng: np.random.Generator, width: float) -> Strip:
    """A strip through a picture of this width (as a share of its height); now and then it only grazes a corner."""
    middle = rng.uniform(-0.05, width + 0.05) / width
    lean = (1 if rng.random() < 0.5 else -1) * STRIP_LEAN / width / 2
    top, bottom = (share * rng.uniform(0.85, 1.1) / width / 2 for share in STRIP_WIDTHS[rng.integers(2)])
    return Strip((middle - lean - top, middle + lean - bottom), (middle - lean + top, middle + lean + bottom))


def draw_ocean(rng: np.random.Generator, shape: Shape) -> Field:
    """H×W×3 in grey levels: deep navy, a little lighter to one side, with faint haze."""
    rows, columns = coordinates(shape)
    slope = rng.uniform(-0.25, 0.25) * (columns - 0.75) + rng.uniform(-0.2, 0.2) * (rows - 0.5)
    light = rng.uniform(0.75, 1.35) * (1 + slope + 0.05 * band_noise(rng, shape, 0.8))
    tint = np.array(OCEAN_COLOUR, np.float32) * rng.uniform(0.9, 1.1, 3)
    return np.asarray(light[..., None] * tint, np.float32)


def draw_glint(rng: np.random.Generator, shape: Shape) -> Field:
    """H×W in grey levels: one broad, soft, upright band where the sea mirrors the sun."""
    rows, columns = coordinates(shape)
    middle = rng.uniform(-0.1, shape[1] / shape[0] + 0.1) + rng.uniform(-0.15, 0.15) * (rows - 0.5)
    band = np.exp(-(((columns - middle) / rng.uniform(0.07, 0.15)) ** 2) / 2)
    along = 1 + 0.35 * np.cos(2 * (rows - rng.uniform(0, 1)))
    ripples = 1 + 0.06 * band_noise(rng, shape, 0.15, octaves=1.0)
    return np.asarray(rng.uniform(25, 75) * band * along * ripples, np.float32)
