"""Reading images as networks see them, and refusing those that are damaged, too large or too small."""

import struct
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.data.resize import resize_antialiased
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
# Markers C0 to CF start a frame, except three that contain tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# These markers have no length. Decoders skip them; reading a length here would lose the way.
ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})


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
    except (struct.error, IndexError):
        raise HeaderError("the file ends within its header") from None
    raise HeaderError(f"neither a JPEG nor a PNG; it begins with {content[:8]!r}")


def _read_jpeg_shape(content: bytes) -> Shape:
    """Walk over the segments: 0xFF, marker, length (2 bytes, which count themselves), content."""
    position = len(JPEG_START)
    while content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker in ALONE:
            position += 2
            continue
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return height, width
        position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    raise HeaderError("no frame in the JPEG's header")


ENDINGS = (".jpg", ".jpeg", ".png")
MAX_PIXELS = 100_000_000
"""Limit against small files that decode to huge images."""
MIN_SIDE = 8
"""Pixels. A smaller image shows no pattern; it is an icon or a mistake."""
SCALED = {1: 0, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
"""Flags that decode a JPEG at a fraction of its size. Combined with IMREAD_COLOR_RGB they give colour, not grey."""
START_OF_SCAN, END_OF_JPEG = b"\xff\xda", b"\xff\xd9"
MOST_SCANS = 100
"""Limit against decoding for minutes: a progressive JPEG has about ten scans, but a small file can hold thousands."""
FINER = 3
"""A JPEG is decoded at least this many times finer than needed, so that `fit_image` does the resizing. With 2.7,
colours differ from a full decoding by 0.5 levels instead of 0.15, and masks differ twice as much."""
GREY, GREY_TOLERANCE = 128, 4
"""Level with which JPEG decoders fill missing data."""
GREY_SHARE = 0.01


class ImageError(ValueError):
    """The image cannot be used; `reason` is the kind of problem."""

    def __init__(
        self, reason: Literal["unreadable", "truncated", "oversized", "undersized", "unseen"], message: str
    ) -> None:
        super().__init__(message)
        self.reason = reason


def read_image(path: Path, near: Shape | None = None) -> Image:
    """An image file → H×W×3, RGB. With `near`, a JPEG may be decoded at 1/2, 1/4 or 1/8, finer than that shape."""
    try:
        return decode_image(path.read_bytes(), near)
    except OSError as error:
        raise ImageError("unreadable", f"cannot be opened: {error.strerror}") from None


def read_resized(path: Path, shape: Shape) -> Image:
    """An image file → H×W×3 of this shape, RGB: the input of a network, in training and in prediction."""
    return fit_image(read_image(path, near=shape), shape)


def full_shape(path: Path, image: Image) -> Shape:
    """An image file and its pixels, maybe at a reduced scale → (height, width) at full scale.

    Decoding may have turned the image, as its EXIF orientation says.
    """
    height, width = read_shape(path.read_bytes())
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
    # Some decoders fill the missing part of a truncated JPEG with grey, without an error.
    if is_jpeg and content.find(START_OF_SCAN, content.rfind(END_OF_JPEG) + 1) >= 0:
        raise ImageError("truncated", f"the JPEG ends after {len(content)} bytes, without an end marker")
    if is_jpeg and content.count(START_OF_SCAN) > MOST_SCANS:
        raise ImageError("unreadable", f"the JPEG has more than {MOST_SCANS} scans; usual are about ten")
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
