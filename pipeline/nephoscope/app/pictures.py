"""An uploaded image: decoded, predicted once, with a preview and a thumbnail; and heat maps of the classifier."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.batch.pictures import read_content
from nephoscope.bundle.folder import classifier_checkpoints
from nephoscope.data.images import decode_image, describe_stretch, read_shape
from nephoscope.data.visible import find_visible
from nephoscope.earth.scene import Place
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.figures.overlays import colour_heat
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.rle import Mask, Shape

if TYPE_CHECKING:
    from nephoscope.inference.grad_cam import Explainer

Masks = npt.NDArray[np.bool_]
PREVIEW_SIDE = 1600  # pixels, at most
SHOWN_SIDE = 1050
"""Cells. Outlines of larger masks would make the page slow."""
PREVIEW_QUALITY, THUMBNAIL_QUALITY = 86, 80


@dataclass(frozen=True)
class Picture:
    """One image with its prediction. Changing the rules needs no further run of the networks."""

    image_id: str
    image: Image | None
    """As the networks read it. None if they read several windows, or a window that is larger than the scene."""
    prediction: Prediction | Result
    """A result for a scene of several windows: it is decided as a whole, by the tuned rules."""
    preview: bytes
    """JPEG with the original aspect ratio"""
    thumbnail: bytes
    """JPEG"""
    truth: Masks | None = None
    """C×H×W at the output shape"""
    place: Place | None = None
    """Its grid has the cells of the masks."""
    notes: tuple[str, ...] = ()
    """What a person should know about the result."""
    sha256: str = ""
    """Of the uploaded bytes."""

    @property
    def visible(self) -> Mask:
        """H×W on the cells of the masks."""
        return self.prediction.visible

    @property
    def shown_shape(self) -> Shape:
        """Shape in which masks are drawn: that of the masks, or a smaller one."""
        return fit_within(self.visible.shape, SHOWN_SIDE)


def read_picture(model: Ensemble, content: bytes, image_id: str) -> Picture:
    """Bytes of a JPEG or PNG → picture; raises ImageError."""
    prediction, image = predict_content(model, content)
    shape = read_shape(content)
    preview = _draw_preview(content, shape)
    stretch = describe_stretch((preview.shape[0], preview.shape[1]), model.metadata.output_shape)
    return Picture(
        image_id,
        image,
        prediction,
        encode_jpeg(preview, PREVIEW_QUALITY),
        encode_jpeg(image, THUMBNAIL_QUALITY),
        notes=(f"This image does not fit: {stretch}.",) if stretch else (),
        sha256=sha256(content).hexdigest(),
    )


def predict_content(model: Ensemble, content: bytes) -> tuple[Prediction, Image]:
    """Bytes of a JPEG or PNG, read as `nephoscope predict` does → prediction, and the image that the networks read."""
    image, visible = read_content(content, model.metadata)
    (prediction,) = model.predict(image[None], visible[None])
    return prediction, image


def _draw_preview(content: bytes, shape: Shape) -> Image:
    image = decode_image(content, near=preview_shape(shape))
    # Decoding may have turned the image, as its EXIF orientation says; so its shape is read again.
    return resize_image(image, preview_shape((image.shape[0], image.shape[1])))


def preview_shape(shape: Shape) -> Shape:
    """Reduced so that the longer side is at most PREVIEW_SIDE; never enlarged.

    >>> preview_shape((1400, 2100))
    (1067, 1600)
    """
    return fit_within(shape, PREVIEW_SIDE)


def fit_within(shape: Shape, side: int) -> Shape:
    """The shape, reduced so that no side is longer; never enlarged."""
    scale = min(1.0, side / max(shape))
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
        if picture.image is None:
            raise UserError(f"{picture.image_id}: heat maps are drawn only for images that fill one window")
        with self._lock:
            visible = find_visible(picture.image, self._explainer.metadata.nodata)
            explained = self._explainer.explain(picture.image, visible, [index])
        _, encoded = cv2.imencode(".png", cv2.cvtColor(colour_heat(explained.heat_maps[0]), cv2.COLOR_RGBA2BGRA))
        return encoded.tobytes()
