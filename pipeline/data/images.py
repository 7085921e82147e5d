"""The only place where pictures are read, for training and for serving: one way to see a picture."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from pipeline.data.image_header import HeaderError, read_shape
from pipeline.masks.geometry import Image, resize_image
from pipeline.masks.rle import Shape

ENDINGS = (".jpg", ".jpeg", ".png")
MAX_PIXELS = 100_000_000
"""A small file can claim to be a huge picture; no more than this is decoded."""


class ImageError(ValueError):
    """The picture cannot be read; `reason` says which kind of trouble it is."""

    def __init__(self, reason: Literal["unreadable", "truncated", "oversized"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_image(path: Path) -> Image:
    """A picture file of any size → H×W×3, RGB."""
    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        raise ImageError("unreadable", f"cannot be opened: {error.strerror}") from None


def read_resized(path: Path, shape: Shape) -> Image:
    """A picture file → H×W×3 of this shape, RGB: what a network is shown, in training and in serving."""
    return resize_image(read_image(path), shape)


def decode_image(content: bytes) -> Image:
    """The bytes of a JPEG or PNG → H×W×3, RGB; raises ImageError."""
    try:
        height, width = read_shape(content)
    except HeaderError as error:
        raise ImageError("unreadable", str(error)) from None
    if height * width > MAX_PIXELS:
        raise ImageError("oversized", f"{height}×{width} are more than {MAX_PIXELS} pixels")
    # Some decoders fill the missing part of a truncated JPEG with grey and say nothing.
    if content[:2] == b"\xff\xd8" and content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
        raise ImageError("truncated", f"the JPEG breaks off after {len(content)} bytes, before its end marker")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise ImageError("unreadable", f"cannot be decoded: {error.err}") from None
    if image is None:
        raise ImageError("unreadable", "cannot be decoded: its content is damaged")
    return np.asarray(image, np.uint8)
