"""Overlays on images: outlines of masks, stripes over invisible pixels, class names, confusion and heat maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.figures.colours import Colour, class_colours
from nephoscope.figures.lettering import measure_text, write_text
from nephoscope.files import atomic_write
from nephoscope.masks.geometry import Image, gallery_shape, resize_image
from nephoscope.masks.outlines import light_path
from nephoscope.masks.rle import Mask, Shape

HALO: Colour = (20, 20, 20)
STRIPES: Colour = (120, 120, 120)
STRIPE_PERIOD = 12  # pixels


def draw_overlay(image: Image, masks: npt.NDArray[np.bool_], visible: Mask, thickness: int = 2) -> Image:
    """Image (H×W×3), masks (C×H×W) and visible pixels (H×W) → a new image. `thickness` of outlines is in pixels."""
    canvas = np.ascontiguousarray(image).copy()
    rows, columns = np.indices(visible.shape)
    canvas[~visible & ((rows + columns) % STRIPE_PERIOD < STRIPE_PERIOD // 4)] = STRIPES
    for mask, colour in zip(masks, class_colours(len(masks)), strict=True):
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        # A dark rim keeps the colour visible on bright clouds.
        cv2.drawContours(canvas, outlines, -1, HALO, thickness + 2, cv2.LINE_AA)
        cv2.drawContours(canvas, outlines, -1, colour, thickness, cv2.LINE_AA)
    return canvas


def write_names(image: Image, masks: npt.NDArray[np.bool_], names: Sequence[str]) -> Image:
    """Write the name of every class with a mask, at the point of its mask farthest from the border."""
    canvas = image.copy()
    for mask, name, colour in zip(masks, names, class_colours(len(masks)), strict=True):
        if mask.any():
            # Padding makes the image border count as a mask border.
            depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            width, height = measure_text(name)
            left = int(np.clip(column - width // 2, 3, max(3, image.shape[1] - width - 3)))
            bottom = int(np.clip(row + height // 2, height + 3, image.shape[0] - 6))
            cv2.rectangle(canvas, (left - 3, bottom - height - 3), (left + width + 3, bottom + 6), HALO, cv2.FILLED)
            write_text(canvas, name, left, bottom, colour)
    return canvas


@dataclass(frozen=True)
class ConfusionMask:
    name: str
    colour: Colour
    opacity: float
    meaning: str


HIT = ConfusionMask("hit", (86, 180, 233), 0.6, "annotated and predicted")
MISS = ConfusionMask("miss", (240, 228, 66), 0.65, "annotated, not predicted")
FALSE_ALARM = ConfusionMask("false alarm", (213, 94, 0), 0.65, "predicted, not annotated")
RIGHT_NOTHING = ConfusionMask("right nothing", (24, 24, 32), 0.6, "neither: the image, dimmed")
OUTCOMES = (HIT, MISS, FALSE_ALARM, RIGHT_NOTHING)


def outline_confusion(truth: Mask, predicted: Mask) -> dict[str, str]:
    """Truth and predicted mask of one class (H×W each) → outcome → SVG path around its pixels, if it occurs."""
    height, width = truth.shape
    where = {HIT: truth & predicted, MISS: truth & ~predicted, FALSE_ALARM: predicted & ~truth}
    paths = {outcome.name: light_path(mask) for outcome, mask in where.items()}
    # The border of the image, with everything else as holes.
    paths[RIGHT_NOTHING.name] = f"M0 0H{width}V{height}H0z{light_path(truth | predicted)}"
    return {name: path for name, path in paths.items() if path}


COLOURS = cv2.COLORMAP_PLASMA
"""Perceptually uniform, also for colour-blind people. Its bright end is yellow, unlike clouds."""
OPACITY = 0.65
"""Opacity of pixels with heat 1"""
QUALITY = 85
"""JPEG quality"""


def draw_heat(image: Image, heat: npt.NDArray[np.floating]) -> Image:
    """Image (H×W×3, RGB) and heat (any shape, 0 to 1) → a new image."""
    height, width = image.shape[:2]
    fitted = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    layer = colour_heat(np.asarray(fitted, np.float32))
    opacity = layer[..., 3:] / 255
    return np.asarray(np.round((1 - opacity) * image + opacity * layer[..., :3]), np.uint8)


def colour_heat(heat: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Heat (H×W, 0 to 1) → an RGBA layer (H×W×4)."""
    heat = np.clip(heat, 0, 1)
    colours = cv2.applyColorMap(np.round(255 * heat).astype(np.uint8), COLOURS)[..., ::-1]
    return np.dstack([colours, np.round(255 * OPACITY * heat).astype(np.uint8)])


def write_heat(path: Path, image: Image, heat: npt.NDArray[np.floating], output_shape: Shape) -> None:
    """Write a JPEG of gallery size: image and heat (H×W×3 and H×W, at the cache shape) blended."""
    drawn = draw_heat(resize_image(image, gallery_shape(output_shape)), heat)
    _, encoded = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(encoded.tobytes())


def heat_name(image_id: str, class_name: str) -> str:
    """
    >>> heat_name("03a31d5.jpg", "Fish")
    '03a31d5.jpg_Fish.jpg'
    """
    return f"{image_id}_{class_name}.jpg"
