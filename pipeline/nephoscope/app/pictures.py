"""Bytes of a picture → what the networks say of it, and the picture as eyes see it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.batch.pictures import read_content
from nephoscope.data.images import decode_image, read_shape
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.ensemble import Ensemble
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.rle import Shape

Masks = npt.NDArray[np.bool_]
LONGEST_SIDE = 1600  # pixels, of a preview
PREVIEW_QUALITY, THUMBNAIL_QUALITY = 86, 80


@dataclass(frozen=True)
class Picture:
    """A picture that was read: from here on only rules move, and no network is asked again."""

    image_id: str
    image: Image
    """As the networks saw it."""
    prediction: Prediction
    preview: bytes
    """JPEG in the picture's own proportions"""
    thumbnail: bytes
    truth: Masks | None = None
    """C×H×W at the output shape"""


def read_picture(model: Ensemble, content: bytes, image_id: str) -> Picture:
    """The bytes of a JPEG or PNG → a picture; raises ImageError."""
    prediction, image = predict_content(model, content)
    preview = _draw_preview(content)
    drawn = encode_jpeg(preview, PREVIEW_QUALITY), encode_jpeg(image, THUMBNAIL_QUALITY)
    return Picture(image_id, image, prediction, *drawn)


def predict_content(model: Ensemble, content: bytes) -> tuple[Prediction, Image]:
    """As `nephoscope predict` reads a file: what the networks say, and the image they saw."""
    image, visible = read_content(content, model.metadata)
    (prediction,) = model.predict(image[None], visible[None])
    return prediction, image


def _draw_preview(content: bytes) -> Image:
    image = decode_image(content, near=preview_shape(read_shape(content)))
    # A camera may say that the picture lies on its side: then it is decoded upright.
    return resize_image(image, preview_shape((image.shape[0], image.shape[1])))


def preview_shape(shape: Shape) -> Shape:
    """Made smaller to LONGEST_SIDE, never larger.

    >>> preview_shape((1400, 2100))
    (1067, 1600)
    """
    scale = min(1.0, LONGEST_SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def encode_jpeg(image: Image, quality: int) -> bytes:
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
