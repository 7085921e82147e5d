"""Pictures inside a page: WebP as data URIs, so that the page is one file."""

import base64

import cv2
import numpy as np

from pipeline.masks.geometry import Image

QUALITY = 82
LARGEST_WIDTH = 1400  # pixels


def to_data_uri(image: Image) -> str:
    """Image (H×W×3, RGB) → the value of a `src`."""
    _, encoded = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def recompress(content: bytes) -> str | None:
    """A picture file's bytes, such as a large PNG → the value of a `src`; None where they are no picture."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
    if image is None:
        return None
    height, width = image.shape[:2]
    if width > LARGEST_WIDTH:
        size = LARGEST_WIDTH, round(height * LARGEST_WIDTH / width)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return to_data_uri(np.asarray(image, np.uint8))
