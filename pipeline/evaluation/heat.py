"""Heat drawn over a picture: the hotter, the brighter the colour and the less of the picture shows through."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.artifacts import writing
from pipeline.masks.geometry import Image, gallery_shape, resize_image
from pipeline.masks.rle import Shape

COLOURS = cv2.COLORMAP_PLASMA
"""Perceptually even, so that equal steps of heat look like equal steps, to colour-blind people too; its bright end is
yellow, which no cloud is."""
OPACITY = 0.65
"""of the hottest pixels"""
QUALITY = 85
"""of the JPEG"""


def draw_heat(image: Image, heat: npt.NDArray[np.floating]) -> Image:
    """Image (H×W×3, RGB) and heat (h×w, 0 to 1, of any shape) → a new image."""
    height, width = image.shape[:2]
    fitted = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    layer = colour_heat(np.asarray(fitted, np.float32))
    opacity = layer[..., 3:] / 255
    return np.asarray(np.round((1 - opacity) * image + opacity * layer[..., :3]), np.uint8)


def colour_heat(heat: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Heat (H×W, 0 to 1) → a layer to lay over a picture (H×W×4, RGB and opacity)."""
    heat = np.clip(heat, 0, 1)
    colours = cv2.applyColorMap(np.round(255 * heat).astype(np.uint8), COLOURS)[..., ::-1]
    return np.dstack([colours, np.round(255 * OPACITY * heat).astype(np.uint8)])


def write_heat(path: Path, image: Image, heat: npt.NDArray[np.floating], judged_shape: Shape) -> None:
    """A JPEG as large as the pictures of a gallery: image and heat (H×W×3 and H×W, at the cache shape) blended."""
    drawn = draw_heat(resize_image(image, gallery_shape(judged_shape)), heat)
    _, encoded = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    with writing(path) as unfinished:
        unfinished.write_bytes(encoded.tobytes())


def heat_name(image_id: str, class_name: str) -> str:
    """
    >>> heat_name("03a31d5.jpg", "Fish")
    '03a31d5.jpg_Fish.jpg'
    """
    return f"{image_id}_{class_name}.jpg"
