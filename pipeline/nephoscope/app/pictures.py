"""An uploaded image: decoded, predicted once, with a preview and a thumbnail; and heat maps of the classifier."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.batch.pictures import read_content
from nephoscope.bundle.folder import classifier_checkpoints
from nephoscope.data.images import decode_image, read_shape
from nephoscope.data.visible import find_visible
from nephoscope.evaluation.store import Prediction
from nephoscope.figures.overlays import colour_heat
from nephoscope.inference.ensemble import Ensemble
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.rle import Shape

if TYPE_CHECKING:
    from nephoscope.inference.grad_cam import Explainer

Masks = npt.NDArray[np.bool_]
PREVIEW_SIDE = 1600  # pixels, at most
PREVIEW_QUALITY, THUMBNAIL_QUALITY = 86, 80


@dataclass(frozen=True)
class Picture:
    """One image with its prediction. Changing the rules needs no further run of the networks."""

    image_id: str
    image: Image
    """as the networks read it"""
    prediction: Prediction
    preview: bytes
    """JPEG with the original aspect ratio"""
    thumbnail: bytes
    """JPEG of `image`"""
    truth: Masks | None = None
    """C×H×W at the output shape"""


def read_picture(model: Ensemble, content: bytes, image_id: str) -> Picture:
    """Bytes of a JPEG or PNG → picture; raises ImageError."""
    prediction, image = predict_content(model, content)
    preview = encode_jpeg(_draw_preview(content), PREVIEW_QUALITY)
    return Picture(image_id, image, prediction, preview, encode_jpeg(image, THUMBNAIL_QUALITY))


def predict_content(model: Ensemble, content: bytes) -> tuple[Prediction, Image]:
    """Bytes of a JPEG or PNG, read as `nephoscope predict` does → prediction, and the image that the networks read."""
    image, visible = read_content(content, model.metadata)
    (prediction,) = model.predict(image[None], visible[None])
    return prediction, image


def _draw_preview(content: bytes) -> Image:
    image = decode_image(content, near=preview_shape(read_shape(content)))
    # Decoding may have turned the image, as its EXIF orientation says; so its shape is read again.
    return resize_image(image, preview_shape((image.shape[0], image.shape[1])))


def preview_shape(shape: Shape) -> Shape:
    """Reduced so that the longer side is at most PREVIEW_SIDE; never enlarged.

    >>> preview_shape((1400, 2100))
    (1067, 1600)
    """
    scale = min(1.0, PREVIEW_SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def encode_jpeg(image: Image, quality: int) -> bytes:
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


class HeatMaps:
    """Grad-CAM of the classifier. PyTorch and the checkpoint are loaded for the first heat map."""

    def __init__(self, model: Path) -> None:
        """The folder of a portable model."""
        self._model = model
        self._lock = Lock()  # an explained network stores activations in its layers, so one image at a time

    @cached_property
    def _explainer(self) -> "Explainer":
        from nephoscope.inference.grad_cam import Explainer

        return Explainer.open(classifier_checkpoints(self._model))

    def draw(self, picture: Picture, index: int) -> bytes:
        """Heat map of one class as a transparent PNG, to lay over the image."""
        with self._lock:
            visible = find_visible(picture.image, self._explainer.metadata.nodata)
            explained = self._explainer.explain(picture.image, visible, [index])
        _, encoded = cv2.imencode(".png", cv2.cvtColor(colour_heat(explained.heat_maps[0]), cv2.COLOR_RGBA2BGRA))
        return encoded.tobytes()
