"""Scenes of rolled steel with four kinds of defects: pits, nicks, scratches, rough patches."""

from collections.abc import Callable

import cv2
import numpy as np

from nephoscope.data.synthetic.fields import Field, Grain, band_noise, coordinates, power_noise, smoothstep
from nephoscope.data.synthetic.scene import Scene, drawing_shape
from nephoscope.masks.geometry import resize_image, resize_mask
from nephoscope.masks.rle import Mask, Shape

LEAST_HEIGHT = 128
# Of the 12,568 labelled images of "Severstal: Steel Defect Detection": how many show 0, 1, 2, 3 kinds of defects, and
# how many show each kind.
KINDS_COUNTS = (5902, 6239, 425, 2)
DEFECT_COUNTS = (897, 247, 5150, 801)
BLACK_END_SHARE = 0.25
Defect = Callable[[np.random.Generator, Shape], Field]
"""(rng, shape) → relative change of reflectance (H×W); 0 without a defect."""


def draw_steel_scene(rng: np.random.Generator, shape: Shape, mask_shape: Shape | None = None) -> Scene:
    """A scene of this shape. Its masks (1, 2, 3, 4) have the mask shape, by default the same. Labels have no errors."""
    drawn = drawing_shape(shape, LEAST_HEIGHT)
    plate, changes = _draw_plate(rng, drawn), np.zeros((4, *drawn), np.float32)
    ends = _draw_ends(rng, drawn)
    for class_index in draw_defects(rng):
        changes[class_index] = DEFECTS[class_index](rng, drawn) * (ends > 0.9)
    masks = np.stack([_outline(change) for change in changes])
    grey = np.clip(plate * (1 + changes.sum(0)) * ends, 0, 255).astype(np.uint8)
    image = resize_image(np.repeat(grey[..., None], 3, axis=2), shape)
    regions = np.stack([resize_mask(mask, shape) for mask in masks])
    labels = np.stack([resize_mask(mask, mask_shape or shape) for mask in masks])
    return Scene(image, labels, regions, np.ones(shape, bool))


def draw_defects(rng: np.random.Generator) -> list[int]:
    """Indices of the kinds of defects on a plate: none on half of the plates, rarely more than one."""
    count = rng.choice(len(KINDS_COUNTS), p=np.divide(KINDS_COUNTS, sum(KINDS_COUNTS)))
    kinds = rng.choice(4, count, replace=False, p=np.divide(DEFECT_COUNTS, sum(DEFECT_COUNTS)))
    return sorted(kinds.tolist())


def draw_pits(rng: np.random.Generator, shape: Shape) -> Field:
    """1: a group of small dark dots."""
    dots = smoothstep(band_noise(rng, shape, 0.07, octaves=0.3), 1.5, 2.2)
    return np.asarray(-0.5 * dots * _ellipse(rng, shape, rng.uniform(0.25, 0.45), rng.uniform(0.4, 1.2)), np.float32)


def draw_nicks(rng: np.random.Generator, shape: Shape) -> Field:
    """2: one to three thin, short, vertical lines."""
    return _lines(rng, shape, int(rng.integers(1, 4)), lean=0.05, length=(0.15, 0.4), width=(0.006, 0.012), depth=-0.5)


def draw_scratches(rng: np.random.Generator, shape: Shape) -> Field:
    """3: long parallel scratches, bright or dark."""
    depth = rng.choice([-0.6, 0.9])
    return _lines(rng, shape, int(rng.integers(2, 9)), lean=0.5, length=(0.4, 1.3), width=(0.006, 0.022), depth=depth)


def draw_patches(rng: np.random.Generator, shape: Shape) -> Field:
    """4: large patches with a rough surface."""
    ellipse = _ellipse(rng, shape, rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.9))
    torn = smoothstep(power_noise(rng, shape, 0.35, 2.6) - 4 * (1 - ellipse), -0.6, -0.2) * (ellipse > 0)
    rough = 0.6 + 0.35 * power_noise(rng, shape, 0.08, 2.0, Grain(0, 1.5))
    return np.asarray(rng.choice([-0.55, 0.7]) * torn * np.clip(rough, 0.25, 1.2), np.float32)


DEFECTS: tuple[Defect, ...] = (draw_pits, draw_nicks, draw_scratches, draw_patches)


def _draw_plate(rng: np.random.Generator, shape: Shape) -> Field:
    """Grey levels of a plate without defects: varying light, streaks from rolling, fine grain."""
    rows, columns = coordinates(shape)
    light = (
        1 + 0.25 * np.sin(columns * rng.uniform(0.3, 1.2) + rng.uniform(0, 6)) + rng.uniform(-0.2, 0.2) * (rows - 0.5)
    )
    streaks = 0.07 * power_noise(rng, shape, 0.5, 2.0, Grain(0, 12)) + 0.05 * power_noise(
        rng, shape, 0.6, 2.0, Grain(np.pi / 2, 8)
    )
    grain = 0.05 * band_noise(rng, shape, 0.025, octaves=0.8)
    return np.asarray(rng.uniform(60, 130) * light * (1 + streaks + grain), np.float32)


def _draw_ends(rng: np.random.Generator, shape: Shape) -> Field:
    """1 on the plate, 0 beyond its end, which some images show at the left or right."""
    rows, columns = coordinates(shape)
    width = shape[1] / shape[0]
    if rng.random() >= BLACK_END_SHARE:
        return np.ones(shape, np.float32)
    reach = rng.uniform(0.03, 0.4) * width + 0.03 * np.sin(6 * rows + rng.uniform(0, 6))
    return smoothstep((columns if rng.random() < 0.5 else width - columns) - reach, 0.0, 0.03)


def _ellipse(rng: np.random.Generator, shape: Shape, height: float, width: float) -> Field:
    """1 at the centre of an ellipse, 0 outside."""
    rows, columns = coordinates(shape)
    row, column = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.9) * shape[1] / shape[0]
    return smoothstep(-np.hypot((rows - row) / height, (columns - column) / width), -1.0, -0.5)


def _lines(
    rng: np.random.Generator, shape: Shape, count: int, *, lean: float, length: tuple[float, float],
    width: tuple[float, float], depth: float,
) -> Field:  # fmt: skip
    """Nearly vertical lines near one position; length and width are ranges, as shares of the height."""
    rows, columns = coordinates(shape)
    change = np.zeros(shape, np.float32)
    column, tilt = rng.uniform(0.1, 0.9) * shape[1] / shape[0], rng.uniform(-lean, lean)
    for _ in range(count):
        row, reach = rng.uniform(0.2, 0.8), rng.uniform(*length) / 2
        middle = column + rng.uniform(-0.6, 0.6) + tilt * (rows - row) + 0.01 * np.sin(9 * rows + rng.uniform(0, 6))
        profile = np.exp(-(((columns - middle) / rng.uniform(*width)) ** 2) / 2)
        np.maximum(change, profile * smoothstep(-np.abs(rows - row), -reach, -0.7 * reach), out=change)
    worn = np.clip(0.75 + 0.35 * power_noise(rng, shape, 0.15, 1.8, Grain(np.pi / 2, 3.0)), 0.15, 1.3)
    return np.asarray(depth * change * worn, np.float32)


def _outline(change: Field) -> Mask:
    """The mask of a defect, slightly wider than the defect: pixels with a high mean change around them."""
    if not change.any():
        return np.zeros(change.shape, bool)
    spread = max(1.0, 0.02 * change.shape[0])
    near = cv2.GaussianBlur(np.abs(change), (0, 0), spread, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(near > 0.25 * near.max())
