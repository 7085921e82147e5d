"""Scenes of shallow clouds over the ocean, as a satellite sees them."""

from collections.abc import Sequence

import numpy as np

from pipeline.data.synthetic.annotators import annotate, union_of
from pipeline.data.synthetic.fields import Field, band_noise, coordinates, smoothstep
from pipeline.data.synthetic.layout import Region, draw_regions
from pipeline.data.synthetic.patterns import PATTERNS, draw_cirrus, draw_front, draw_haze, draw_strays
from pipeline.data.synthetic.scene import Box, Scene, drawing_shape
from pipeline.data.synthetic.sky import CLOUD_COLOUR, GLINT_COLOUR, draw_glint, draw_ocean, draw_strip
from pipeline.masks.geometry import Image, resize_image, resize_mask
from pipeline.masks.rle import Shape

LEAST_HEIGHT = 210  # below it the dust of Sugar would melt into grey while it is drawn
HALF_THICKNESS = 0.68  # half of the light comes back
CLASSES = tuple(PATTERNS)
GLINT_SHARE, CIRRUS_SHARE, FRONT_SHARE = 0.6, 0.6, 0.45
DRAWERS = tuple(PATTERNS.values())


def draw_clouds_scene(rng: np.random.Generator, shape: Shape, mask_shape: Shape | None = None) -> Scene:
    """A scene of this shape; its masks (Fish, Flower, Gravel, Sugar) in their own shape, or the same."""
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
    """1 inside the box, 0 far outside it, with a wide, wavering rim."""
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
    # Scattered light saturates slowly (two-stream albedo), so that thick clouds keep their relief.
    cover = thickness / (thickness + np.float32(HALF_THICKNESS))
    image = sea * (1 - cover) + rng.uniform(0.92, 1.03) * np.array(CLOUD_COLOUR, np.float32) * cover
    return np.asarray(np.clip(image, 1, 255), np.uint8)


def _draw_thickness(
    rng: np.random.Generator, shape: Shape, regions: Sequence[Region], windows: Sequence[Field]
) -> Field:
    wind = rng.uniform(-0.5, 0.5)
    # What belongs to no pattern keeps out of the regions: their air is the pattern's own.
    free = np.asarray(np.prod([1 - 0.8 * window for window in windows], axis=0), np.float32)
    thickness = draw_strays(rng, shape, wind) * free + draw_haze(rng, shape, wind)
    for region, window in zip(regions, windows, strict=True):
        thickness += DRAWERS[region.class_index](rng, shape, window, wind)
    if rng.random() < FRONT_SHARE:
        thickness += draw_front(rng, shape) * (0.3 + 0.7 * free)
    if rng.random() < CIRRUS_SHARE:
        thickness += draw_cirrus(rng, shape)
    return np.asarray(thickness, np.float32)
