"""Reading images as networks see them, and refusing those that are damaged, too large or too small."""

import struct
from errno import EFBIG
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.data.jpeg import JpegError, check_jpeg, walk
from nephoscope.data.resize import resize_antialiased
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape
from nephoscope.regular_files import read_file

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
# Markers C0 to CF start a frame, except three that contain tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class HeaderError(ValueError):
    """The bytes do not have the header of a JPEG or PNG."""


def read_shape(content: bytes) -> Shape:
    """Bytes of a JPEG or PNG → (height, width), from the header."""
    if not content:
        raise HeaderError("the file is empty")
    try:
        if content.startswith(PNG_START):
            width, height = struct.unpack_from(">II", content, 16)
            return height, width
        if content.startswith(JPEG_START):
            return _read_jpeg_shape(content)
    except (struct.error, JpegError):
        raise HeaderError("the file ends within its header") from None
    raise HeaderError(f"neither a JPEG nor a PNG; it begins with {content[:8]!r}")


def _read_jpeg_shape(content: bytes) -> Shape:
    for marker, body, _ in walk(content):
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", body, 1)
            return height, width
    raise JpegError("truncated", "the JPEG ends without a frame")


ENDINGS = (".jpg", ".jpeg", ".png")
MAX_PIXELS = 100_000_000
"""Limit against small files that decode to huge images."""
MOST_BYTES = 4 * MAX_PIXELS
"""Limit of a file, so that it is never read in vain. A PNG of MAX_PIXELS that cannot be compressed is smaller."""
MIN_SIDE = 8
"""Pixels. A smaller image shows no pattern; it is an icon or a mistake."""
SCALED = {1: 0, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
"""Flags that decode a JPEG at a fraction of its size. Combined with IMREAD_COLOR_RGB they give colour, not grey."""
FINER = 3
"""A JPEG is decoded at least this many times finer than needed, so that `fit_image` does the resizing. With 2.7,
colours differ from a full decoding by 0.5 levels instead of 0.15, and masks differ twice as much."""
GREY, GREY_TOLERANCE = 128, 4
"""Level with which JPEG decoders fill missing data."""
GREY_SHARE = 0.01


Reason = Literal["unreadable", "truncated", "damaged", "oversized", "undersized", "unseen"]


class ImageError(ValueError):
    """The image cannot be used; `reason` is the kind of problem."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_image(path: Path, near: Shape | None = None) -> Image:
    """An image file → H×W×3, RGB. With `near`, a JPEG may be decoded at 1/2, 1/4 or 1/8, finer than that shape."""
    try:
        content = read_file(path, MOST_BYTES)
    except OSError as error:
        reason: Reason = "oversized" if error.errno == EFBIG else "unreadable"
        raise ImageError(reason, f"cannot be opened: {error.strerror}") from None
    return decode_image(content, near)


def read_resized(path: Path, shape: Shape) -> Image:
    """An image file → H×W×3 of this shape, RGB: the input of a network, in training and in prediction."""
    return fit_image(read_image(path, near=shape), shape)


def full_shape(path: Path, image: Image) -> Shape:
    """An image file and its pixels, maybe at a reduced scale → (height, width) at full scale.

    Decoding may have turned the image, as its EXIF orientation says.
    """
    height, width = read_shape(read_file(path, MOST_BYTES))
    rows, columns = image.shape[:2]
    return (width, height) if (height - width) * (rows - columns) < 0 else (height, width)


def fit_image(image: Image, shape: Shape) -> Image:
    """Image (H×W×3) → image of this shape, with the filter that networks are trained with."""
    return image if image.shape[:2] == tuple(shape) else resize_antialiased(image, shape)


ASPECT_TOLERANCE = 0.02


def describe_stretch(shape: Shape, expected: Shape) -> str:
    """ "" if an image of this shape has about the aspect (width / height) that networks expect; otherwise a warning.

    >>> describe_stretch((1400, 2100), (350, 525))
    ''
    >>> describe_stretch((1000, 1000), (350, 525))
    'its aspect (width / height) is 1.000; it is stretched to 1.500, and results mean little. Crop or tile it'
    """
    aspect, wanted = shape[1] / shape[0], expected[1] / expected[0]
    if abs(aspect / wanted - 1) <= ASPECT_TOLERANCE:
        return ""
    stretched = f"its aspect (width / height) is {aspect:.3f}; it is stretched to {wanted:.3f}"
    return f"{stretched}, and results mean little. Crop or tile it"


def decode_image(content: bytes, near: Shape | None = None) -> Image:
    """The bytes of a JPEG or PNG → H×W×3, RGB; raises ImageError."""
    try:
        height, width = read_shape(content)
    except HeaderError as error:
        raise ImageError("unreadable", str(error)) from None
    if height * width > MAX_PIXELS:
        raise ImageError("oversized", f"{height}×{width} pixels; at most {MAX_PIXELS} are allowed")
    if min(height, width) < MIN_SIDE:
        raise ImageError("undersized", f"{height}×{width} pixels; a side must have at least {MIN_SIDE}")
    is_jpeg = content.startswith(JPEG_START)
    if is_jpeg:
        try:
            check_jpeg(content)
        except JpegError as error:
            raise ImageError(error.reason, str(error)) from None
    scale = _scale((height, width), near) if is_jpeg and near else 1
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB | SCALED[scale])
    except cv2.error as error:
        raise ImageError("unreadable", f"cannot be decoded: {error.err}") from None
    if image is None:
        raise ImageError("unreadable", "cannot be decoded: its content is damaged")
    if _ends_in_grey(image):
        message = "the lowest rows are uniform grey, with which decoders fill the lost part of a damaged JPEG"
        raise ImageError("truncated", message)
    return np.asarray(image, np.uint8)


def _ends_in_grey(image: npt.NDArray[np.generic]) -> bool:
    """Whether the lowest rows are uniform grey. Detects damage even if the image was decoded and saved again."""
    last = image[-max(2, round(GREY_SHARE * len(image))) :].reshape(-1, 3).astype(np.int64)
    return bool(np.abs(last - GREY).max() <= GREY_TOLERANCE and np.ptp(last, axis=0).max() <= 1)


def _scale(shape: Shape, near: Shape) -> int:
    """The coarsest scale at which both sides stay FINER times longer than needed. Rotation by 90° is allowed for.

    >>> _scale((1400, 2100), (192, 288))
    2
    """
    ratio = min(min(shape) / min(near), max(shape) / max(near)) / FINER
    return max((scale for scale in SCALED if scale <= ratio), default=1)
