"""PNG masks: one class per file, or the numbers of the classes as pixel values."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.data.annotations import AnnotationError, NamedMasks
from nephoscope.data.images import MOST_BYTES, PNG_START, HeaderError, read_shape
from nephoscope.data.problems import explain_aspect
from nephoscope.errors import reason_of
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask
from nephoscope.regular_files import read_file

MOST_PIXELS = 2**26
"""Limit against small files that decode to huge masks."""
GREY = ("1", "L", "I", "I;16")
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow raises for a damaged PNG."""


@dataclass(frozen=True)
class MaskAnnotation:
    """One file per class."""

    root: Path
    files: Mapping[str, str]
    """Class name → file, relative to the root"""

    def draw(self, _path: Path, image: Image) -> NamedMasks:
        for name, file in self.files.items():
            mask = read_mask(self.root / file, file)
            _check_shape(mask, image, file)
            yield name, mask


@dataclass(frozen=True)
class IndexAnnotation:
    """One file: pixel value k is class k, counted from 1; 0 is none."""

    root: Path
    file: str
    classes: tuple[str, ...]

    def draw(self, _path: Path, image: Image) -> NamedMasks:
        values = read_values(self.root / self.file, self.file)
        _check_shape(values, image, self.file)
        if values.max() > len(self.classes):
            message = f"the pixel value {values.max()}, but prepare.classes names {len(self.classes)} classes"
            raise AnnotationError("bad_mask", self.file, None, f"{message}; 0 is no class")
        for number, name in enumerate(self.classes, 1):
            yield name, values == number


def _check_shape(mask: npt.NDArray[Any], image: Image, file: str) -> None:
    if message := explain_aspect((image.shape[0], image.shape[1]), (mask.shape[0], mask.shape[1])):
        raise AnnotationError("wrong_aspect", file, None, f"the image of {message}")


def read_mask(path: Path, file: str) -> Mask:
    """A PNG with two values, of which one is 0 → mask (H×W)."""
    picture = _open(path, file)
    if picture.mode == "P":
        picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    if pixels.ndim == 3:  # without transparency
        pixels = pixels[..., : 1 if picture.mode == "LA" else 3]
        if (pixels != pixels[..., :1]).any():
            raise AnnotationError("bad_mask", file, None, "it has colours; a mask is black and white")
        pixels = pixels[..., 0]
    lowest, highest = pixels.min(), pixels.max()
    if (lowest != highest and lowest != 0) or ((pixels != lowest) & (pixels != highest)).any():
        values = ", ".join(map(str, np.unique(pixels)[:5].astype(int)))
        raise AnnotationError("bad_mask", file, None, f"it has the values {values} …; a mask has 0 and one other")
    return np.asarray(pixels > 0)


def read_values(path: Path, file: str) -> npt.NDArray[np.integer]:
    """A PNG in grey or with a palette → its pixel values (H×W)."""
    picture = _open(path, file)
    if picture.mode not in (*GREY, "P"):
        raise AnnotationError("bad_mask", file, None, "it has colours; expected a PNG in grey or with a palette")
    pixels = np.asarray(picture)
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def _open(path: Path, file: str) -> Any:
    from PIL import Image as Pillow  # OpenCV replaces the values of a palette by colours

    try:
        content = read_file(path, MOST_BYTES)
        height, width = read_shape(content)
        if not content.startswith(PNG_START):
            raise AnnotationError("bad_mask", file, None, "a JPEG, which blurs the edges of masks; save it as PNG")
        if height * width > MOST_PIXELS:
            raise AnnotationError("bad_mask", file, None, f"{height}×{width} pixels; at most {MOST_PIXELS} are allowed")
        picture = Pillow.open(BytesIO(content), formats=("PNG",))
        picture.load()
    except AnnotationError:
        raise
    except (HeaderError, *DAMAGE) as error:
        raise AnnotationError("bad_mask", file, None, f"cannot be read: {reason_of(error)}") from None
    return picture
