"""The ensemble: images → predictions, averaged over networks and flipped views."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nephoscope.data.images import fit_image
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.engines import Engine, Images, Probabilities
from nephoscope.masks.geometry import resize_mask, to_levels
from nephoscope.masks.rle import Shape
from nephoscope.rules.presence import top_fraction_mean
from nephoscope.rules.rules import Flip, InferenceSettings

FLIPS: dict[Flip, tuple[slice, slice]] = {
    "none": (slice(None), slice(None)),
    "horizontal": (slice(None), slice(None, None, -1)),
    "vertical": (slice(None, None, -1), slice(None)),
    "both": (slice(None, None, -1), slice(None, None, -1)),
}
"""(rows, columns) that flip an image or a map. Every flip is its own inverse."""
MAX_VIEWS_PER_CALL = 16
"""Largest number of images × views in one call of a network. For few images, one call is faster than several."""


@dataclass(frozen=True)
class Ensemble:
    """Classifiers and segmenters whose probabilities are averaged."""

    metadata: Metadata
    classifiers: Sequence[Engine]
    segmenters: Sequence[Engine]
    inference_settings: InferenceSettings
    engines: Mapping[str, str] = field(default_factory=dict)
    """Name of a network → its engine and precision."""

    def predict(self, images: Images, visible: npt.NDArray[np.bool_]) -> list[Prediction]:
        """Images (N×H×W×3) and visible pixels (N×H×W) at the cache shape → one prediction per image."""
        presence = self._average("classifier", self.classifiers, images)
        maps = self._average("segmenter", self.segmenters, images)
        return [self._to_prediction(*row) for row in zip(presence, maps, visible, strict=True)]

    def _to_prediction(
        self, presence: Probabilities, maps: Probabilities, visible: npt.NDArray[np.bool_]
    ) -> Prediction:
        visible = resize_mask(visible, self.metadata.output_shape)
        levels = to_levels(maps, self.metadata.output_shape)
        top_mean = top_fraction_mean(levels, visible, self.inference_settings.top_fraction)
        return Prediction(levels, visible, presence, top_mean)

    def _shape_of(self, kind: str, engine: Engine) -> tuple[int, ...]:
        """Of the probabilities for one image."""
        return (len(self.metadata.classes), *(engine.input_shape if kind == "segmenter" else ()))

    def _average(self, kind: str, engines: Sequence[Engine], images: Images) -> Probabilities:
        """Mean probabilities over engines and views."""
        flips, size = self.inference_settings.flips, max(1, MAX_VIEWS_PER_CALL // len(images))
        groups = [flips[begin : begin + size] for begin in range(0, len(flips), size)]
        named = [(f"{kind} {number} of {len(engines)}", engine) for number, engine in enumerate(engines, start=1)]
        views = (
            view
            for name, engine in named
            for group in groups
            for view in _predict_views(name, engine, images, group, self._shape_of(kind, engine))
        )
        total = next(views).copy()
        for view in views:
            total += view
        return np.asarray(total / (len(engines) * len(flips)), np.float32)


def _predict_views(
    name: str, engine: Engine, images: Images, flips: Sequence[Flip], shape: tuple[int, ...]
) -> Iterator[Probabilities]:
    """Probabilities of each flipped view, flipped back."""
    resized = fit_images(images, engine.input_shape)
    probabilities = engine(np.concatenate([resized[:, rows, columns] for rows, columns in (FLIPS[f] for f in flips)]))
    if probabilities.shape[1:] != shape or len(probabilities) != len(images) * len(flips):
        raise UserError(
            f"{name} returns an array of {probabilities.shape[1:]} for an image; expected {shape}; use another model"
        )
    # NaN would become level 0, which looks like a valid probability.
    if not np.isfinite(probabilities).all():
        raise UserError(f"{name} returns NaN instead of probabilities; train it again, or use another model")
    for flip, view in zip(flips, np.split(probabilities, len(flips)), strict=True):
        yield view if view.ndim == 2 else view[(..., *FLIPS[flip])]


def fit_images(images: Images, shape: Shape) -> Images:
    """Images (N×H×W×3) → images of this shape, as a network sees them."""
    if images.shape[1:3] == tuple(shape):
        return images
    return np.stack([fit_image(image, shape) for image in images])
