"""Pictures inside a page: WebP as data URIs, so that the page is one file."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from nephoscope.masks.geometry import Image, resize_image

LARGEST_WIDTH = 1400  # pixels


class Look(NamedTuple):
    """What a picture may cost."""

    quality: int
    scale: float = 1.0


LOOKS = (Look(82), Look(65), Look(55, 0.85), Look(50, 0.7), Look(45, 0.55), Look(40, 0.4), Look(30, 0.3))
"""Good to frugal"""


def to_data_uri(image: Image, look: Look = LOOKS[0]) -> str:
    """Image (H×W×3, RGB) → the value of a `src`."""
    height, width = image.shape[:2]
    image = resize_image(image, (max(round(height * look.scale), 1), max(round(width * look.scale), 1)))
    _, encoded = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, look.quality])
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def to_data_uris(images: Sequence[Image], budget: int) -> list[str]:
    """Images → their `src`, all in the best look in which they fit the budget (characters), or in the most frugal."""
    for look in LOOKS:
        sources = [to_data_uri(image, look) for image in images]
        if sum(map(len, sources)) <= budget:
            break
    return sources


def recompress(content: bytes) -> str | None:
    """A picture file's bytes, such as a large PNG → the value of a `src`; None where they are no picture."""
    image = read_picture(content)
    return None if image is None else to_data_uri(image)


def read_picture(content: bytes) -> Image | None:
    """A picture file's bytes → the picture, at most LARGEST_WIDTH wide; None where they are no picture."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
    if image is None:
        return None
    height, width = image.shape[:2]
    if width > LARGEST_WIDTH:
        image = resize_image(np.asarray(image, np.uint8), (round(height * LARGEST_WIDTH / width), LARGEST_WIDTH))
    return np.asarray(image, np.uint8)
