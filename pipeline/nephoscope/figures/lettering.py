"""Names in any script: written on images, and in figures without a warning for each missing character."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from nephoscope.figures.colours import Colour
from nephoscope.masks.geometry import Image

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.6
LONGEST_NAME = 20
POINTS = 16
"""Size of other letters; as high as those of FONT"""


def measure_text(text: str) -> tuple[int, int]:
    """(width, height) above the base line, in pixels."""
    if text.isascii():
        (width, height), _ = cv2.getTextSize(text, FONT, FONT_SCALE, 1)
        return width, height
    left, top, right, _ = _font().getbbox(text, anchor="ls")
    return round(right - left), round(-top)


def write_text(canvas: Image, text: str, left: int, bottom: int, colour: Colour) -> None:
    """Write on the image, from this point of the base line. OpenCV's own font has ASCII letters only."""
    if text.isascii():
        cv2.putText(canvas, text, (left, bottom), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)
        return
    from PIL import Image as Pillow
    from PIL import ImageDraw

    layer = Pillow.new("L", (canvas.shape[1], canvas.shape[0]))
    ImageDraw.Draw(layer).text((left, bottom), text, 255, _font(), anchor="ls")
    opacity = np.asarray(layer, np.float32)[..., None] / 255
    canvas[:] = np.round((1 - opacity) * canvas + opacity * np.array(colour)).astype(np.uint8)


@lru_cache
def _font() -> "FreeTypeFont":
    """The font of matplotlib, which comes with it: Latin, Greek, Cyrillic, Arabic and more."""
    import matplotlib as mpl
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), POINTS)


def shorten_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A name for a label, where a long one would leave no room for the figure.

    >>> shorten_name("stratocumulus over open water", 20)
    'stratocumulus over …'
    """
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


@contextmanager
def any_script() -> Iterator[None]:
    """While a figure is saved: no warning for characters that the font lacks. They are boxes, but text in an SVG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        yield
