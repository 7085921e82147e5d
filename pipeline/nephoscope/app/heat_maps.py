"""Where the classifier looks, drawn when somebody asks; torch and its networks are loaded for the first who does."""

from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import cv2

from nephoscope.app.pictures import Picture
from nephoscope.bundle.folder import classifier_checkpoints
from nephoscope.data.visible import find_visible
from nephoscope.figures.overlays import colour_heat

if TYPE_CHECKING:
    from nephoscope.inference.grad_cam import Explainer


class HeatMaps:
    def __init__(self, model: Path) -> None:
        """The folder of a portable model."""
        self._model = model
        self._turn = Lock()  # a network that is being explained keeps notes in its layers

    @cached_property
    def _explainer(self) -> "Explainer":
        from nephoscope.inference.grad_cam import Explainer

        return Explainer.open(classifier_checkpoints(self._model))

    def draw(self, picture: Picture, index: int) -> bytes:
        """The heat map of a class, as a PNG to lay over the picture."""
        with self._turn:
            visible = find_visible(picture.image, self._explainer.metadata.nodata)
            explained = self._explainer.explain(picture.image, visible, [index])
        _, encoded = cv2.imencode(".png", cv2.cvtColor(colour_heat(explained.heat_maps[0]), cv2.COLOR_RGBA2BGRA))
        return encoded.tobytes()
