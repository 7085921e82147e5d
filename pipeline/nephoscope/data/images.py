"""The shape of a JPEG or PNG from its first bytes, before anything is decoded."""

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
# Markers C0 to CF open a frame, save the three that carry tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# No length follows these. Decoders pass over them, so a length read behind one would lead elsewhere than they go.
ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})


class HeaderError(ValueError):
    """The bytes do not begin like a JPEG or PNG."""


def read_shape(content: bytes) -> Shape:
    """Bytes of a picture file → (height, width)."""
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
    """Walk from segment to segment: 0xFF, marker, length (2 bytes, its own included), content."""
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
"""A small file can claim to be a huge picture; no more than this is decoded."""
MIN_SIDE = 8
"""Pixels; a smaller picture shows no pattern, and is an icon or a mistake."""
SCALED = {1: 0, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
"""A JPEG can be decoded at a fraction of its size. Together with RGB these flags mean colour, whatever they say."""
START_OF_SCAN, END_OF_JPEG = b"\xff\xda", b"\xff\xd9"
MOST_SCANS = 100
"""A progressive JPEG has some ten. Each is a walk over the whole picture, and thousands fit into a small file."""
FINER = 3
"""Times finer than asked for: then the filter of `fit_image` makes the pixels, and not the decoder, which keeps grain
that the filter smooths. At 2.7 times the colours differ by 0.5 of 255 in place of 0.15, and masks by twice as much."""
GREY, GREY_TOLERANCE = 128, 4
"""What a JPEG decoder fills in where the data ran out."""
GREY_SHARE = 0.01


class ImageError(ValueError):
    """The picture cannot be read; `reason` says which kind of trouble it is."""

    def __init__(
        self, reason: Literal["unreadable", "truncated", "oversized", "undersized", "unseen"], message: str
    ) -> None:
        super().__init__(message)
        self.reason = reason


def read_image(path: Path, near: Shape | None = None) -> Image:
    """A picture file of any size → H×W×3, RGB; `near` a shape, a large JPEG is read at a half, fourth or eighth."""
    try:
        return decode_image(path.read_bytes(), near)
    except OSError as error:
        raise ImageError("unreadable", f"cannot be opened: {error.strerror}") from None


def read_resized(path: Path, shape: Shape) -> Image:
    """A picture file → H×W×3 of this shape, RGB: what a network is shown, in training and in serving."""
    return fit_image(read_image(path, near=shape), shape)


def fit_image(image: Image, shape: Shape) -> Image:
    """Image (H×W×3) → image of this shape, as a network sees it."""
    return image if image.shape[:2] == tuple(shape) else resize_antialiased(image, shape)


def decode_image(content: bytes, near: Shape | None = None) -> Image:
    """The bytes of a JPEG or PNG → H×W×3, RGB; raises ImageError."""
    try:
        height, width = read_shape(content)
    except HeaderError as error:
        raise ImageError("unreadable", str(error)) from None
    if height * width > MAX_PIXELS:
        raise ImageError("oversized", f"{height}×{width} are more than {MAX_PIXELS} pixels")
    if min(height, width) < MIN_SIDE:
        raise ImageError("undersized", f"{height}×{width} pixels; a side has at least {MIN_SIDE}")
    is_jpeg = content.startswith(JPEG_START)
    # Some decoders fill the missing part of a truncated JPEG with grey and say nothing.
    if is_jpeg and content.find(START_OF_SCAN, content.rfind(END_OF_JPEG) + 1) >= 0:
        raise ImageError("truncated", f"the JPEG breaks off after {len(content)} bytes, before its end marker")
    if is_jpeg and content.count(START_OF_SCAN) > MOST_SCANS:
        raise ImageError("unreadable", f"the JPEG holds more than {MOST_SCANS} scans, and a sound one some ten")
    scale = _scale((height, width), near) if is_jpeg and near else 1
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB | SCALED[scale])
    except cv2.error as error:
        raise ImageError("unreadable", f"cannot be decoded: {error.err}") from None
    if image is None:
        raise ImageError("unreadable", "cannot be decoded: its content is damaged")
    if _ends_in_grey(image):
        message = "the lowest rows are one flat grey: the JPEG was damaged, and a decoder filled in what was lost"
        raise ImageError("truncated", message)
    return np.asarray(image, np.uint8)


def _ends_in_grey(image: npt.NDArray[np.generic]) -> bool:
    """Also found where a damaged JPEG was decoded and written anew, so that the file itself is whole."""
    last = image[-max(2, round(GREY_SHARE * len(image))) :].reshape(-1, 3).astype(np.int64)
    return bool(np.abs(last - GREY).max() <= GREY_TOLERANCE and np.ptp(last, axis=0).max() <= 1)


def _scale(shape: Shape, near: Shape) -> int:
    """The coarsest scale that leaves every side FINER than needed; the picture may lie on its side.

    >>> _scale((1400, 2100), (192, 288))
    2
    """
    room = min(min(shape) / min(near), max(shape) / max(near)) / FINER
    return max((scale for scale in SCALED if scale <= room), default=1)
