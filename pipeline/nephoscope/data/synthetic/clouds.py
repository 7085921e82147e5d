"""Scenes of clouds over an ocean, with sun glint and the black strip between two orbits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nephoscope.data.synthetic.annotators import Region, annotate, draw_regions, union_of
from nephoscope.data.synthetic.fields import Field, band_noise, coordinates, smoothstep
from nephoscope.data.synthetic.patterns import PATTERNS, draw_cirrus, draw_front, draw_haze, draw_strays
from nephoscope.data.synthetic.scene import Box, Scene, drawing_shape
from nephoscope.masks.geometry import Image, resize_image, resize_mask
from nephoscope.masks.rle import Mask, Shape

# With haze, the darkest fifth of the pixels then has the mean colour of real images (16, 21, 40).
OCEAN_COLOUR = (8.0, 13.0, 32.0)
CLOUD_COLOUR = (264.0, 264.0, 266.0)  # of infinite thickness
GLINT_COLOUR = (1.0, 0.98, 0.86)
# Measured in real images: strips lean by a fixed angle, left or right; two kinds of widths at top and bottom.
STRIP_LEAN = 0.222
STRIP_WIDTHS = ((0.08, 0.2), (0.23, 0.16))


@dataclass(frozen=True)
class Strip:
    """Left and right borders, each at the top and at the bottom of the image, as shares of its width."""

    left: tuple[float, float]
    right: tuple[float, float]

    def visible(self, shape: Shape) -> Mask:
        rows, columns = coordinates(shape)
        columns = columns * np.float32(shape[0] / shape[1])
        left = self.left[0] + (self.left[1] - self.left[0]) * rows
        right = self.right[0] + (self.right[1] - self.right[0]) * rows
        return np.asarray((columns < left) | (columns > right))


def draw_strip(rng: np.random.Generator, width: float) -> Strip:
    """A strip through an image of this width (as a share of its height). Sometimes it only touches a corner."""
    middle = rng.uniform(-0.05, width + 0.05) / width
    lean = (1 if rng.random() < 0.5 else -1) * STRIP_LEAN / width / 2
    top, bottom = (share * rng.uniform(0.85, 1.1) / width / 2 for share in STRIP_WIDTHS[rng.integers(2)])
    return Strip((middle - lean - top, middle + lean - bottom), (middle - lean + top, middle + lean + bottom))


def draw_ocean(rng: np.random.Generator, shape: Shape) -> Field:
    """H×W×3 in grey levels: dark blue, lighter to one side, with faint haze."""
    rows, columns = coordinates(shape)
    slope = rng.uniform(-0.25, 0.25) * (columns - 0.75) + rng.uniform(-0.2, 0.2) * (rows - 0.5)
    light = rng.uniform(0.75, 1.35) * (1 + slope + 0.05 * band_noise(rng, shape, 0.8))
    tint = np.array(OCEAN_COLOUR, np.float32) * rng.uniform(0.9, 1.1, 3)
    return np.asarray(light[..., None] * tint, np.float32)


def draw_glint(rng: np.random.Generator, shape: Shape) -> Field:
    """H×W in grey levels: a broad, soft, vertical band of reflected sunlight."""
    rows, columns = coordinates(shape)
    middle = rng.uniform(-0.1, shape[1] / shape[0] + 0.1) + rng.uniform(-0.15, 0.15) * (rows - 0.5)
    band = np.exp(-(((columns - middle) / rng.uniform(0.07, 0.15)) ** 2) / 2)
    along = 1 + 0.35 * np.cos(2 * (rows - rng.uniform(0, 1)))
    ripples = 1 + 0.06 * band_noise(rng, shape, 0.15, octaves=1.0)
    return np.asarray(rng.uniform(25, 75) * band * along * ripples, np.float32)


LEAST_HEIGHT = 210  # pixels; below, the fine clouds of Sugar would blur into grey
HALF_THICKNESS = 0.68  # thickness that reflects half of the light
CLASSES = tuple(PATTERNS)
GLINT_SHARE, CIRRUS_SHARE, FRONT_SHARE = 0.6, 0.6, 0.45
DRAWERS = tuple(PATTERNS.values())


def draw_clouds_scene(rng: np.random.Generator, shape: Shape, mask_shape: Shape | None = None) -> Scene:
    """A scene of this shape. Its masks (Fish, Flower, Gravel, Sugar) have the mask shape, by default the same."""
    regions = draw_regions(rng)
    boxes = annotate(rng, regions)
    strip = draw_strip(rng, shape[1] / shape[0])
    drawn = drawing_shape(shape, LEAST_HEIGHT)
    windows = [draw_window(rng, drawn, region.box) for region in regions]
    visible = strip.visible(shape)
    image = resize_image(_draw_sky(rng, drawn, regions, windows), shape)
    image[~visible] = 0
    truth = np.zeros((len(CLASSES), *shape), bool)
    for region, window in zip(regions, windows, strict=True):
        truth[region.class_index] |= resize_mask(window > 0.5, shape) & visible
    return Scene(image, union_of(boxes, strip.visible(mask_shape or shape)), truth, visible)


def draw_window(rng: np.random.Generator, shape: Shape, box: Box) -> Field:
    """H×W: 1 inside the box, 0 far outside, with a wide irregular border."""
    rows, columns = coordinates(shape)
    width = shape[1] / shape[0]
    down = np.abs(2 * rows - box.top - box.bottom) / (box.bottom - box.top)
    across = np.abs(2 * columns / width - box.left - box.right) / (box.right - box.left)
    distance = (down**4 + across**4) ** 0.25 + 0.1 * band_noise(rng, shape, 0.3, octaves=1.0)
    return smoothstep(-np.asarray(distance, np.float32), -1.25, -0.8)


def _draw_sky(rng: np.random.Generator, shape: Shape, regions: Sequence[Region], windows: Sequence[Field]) -> Image:
    sea = draw_ocean(rng, shape)
    if rng.random() < GLINT_SHARE:
        sea += draw_glint(rng, shape)[..., None] * np.array(GLINT_COLOUR, np.float32)
    thickness = _draw_thickness(rng, shape, regions, windows)[..., None]
    # Scattered light saturates slowly (two-stream albedo), so thick clouds keep their texture.
    cover = thickness / (thickness + np.float32(HALF_THICKNESS))
    image = sea * (1 - cover) + rng.uniform(0.92, 1.03) * np.array(CLOUD_COLOUR, np.float32) * cover
    return np.asarray(np.clip(image, 1, 255), np.uint8)


def _draw_thickness(
    rng: np.random.Generator, shape: Shape, regions: Sequence[Region], windows: Sequence[Field]
) -> Field:
    wind = rng.uniform(-0.5, 0.5)
    # Clouds without a pattern stay mostly outside the regions.
    free = np.asarray(np.prod([1 - 0.8 * window for window in windows], axis=0), np.float32)
    thickness = draw_strays(rng, shape, wind) * free + draw_haze(rng, shape, wind)
    for region, window in zip(regions, windows, strict=True):
        thickness += DRAWERS[region.class_index](rng, shape, window, wind)
    if rng.random() < FRONT_SHARE:
        thickness += draw_front(rng, shape) * (0.3 + 0.7 * free)
    if rng.random() < CIRRUS_SHARE:
        thickness += draw_cirrus(rng, shape)
    return np.asarray(thickness, np.float32)
