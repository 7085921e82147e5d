"""Two stages: images → raw predictions of both networks → presences and masks by the rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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

# Each is its own inverse; the last two axes of a map are those of a picture without its colours.
FLIPS: dict[Flip, tuple[slice, slice]] = {
    "none": (slice(None), slice(None)),
    "horizontal": (slice(None), slice(None, None, -1)),
    "vertical": (slice(None, None, -1), slice(None)),
    "both": (slice(None, None, -1), slice(None, None, -1)),
}
TOGETHER = 16
"""Pictures times views that go through a network at once, at most: for one picture that is faster than one by one."""


@dataclass(frozen=True)
class Ensemble:
    """Members are averaged, and so are the flipped views of a picture."""

    metadata: Metadata
    classifiers: Sequence[Engine]
    segmenters: Sequence[Engine]
    inference_settings: InferenceSettings

    def predict(self, images: Images, visible: npt.NDArray[np.bool_]) -> list[Prediction]:
        """Images (N×H×W×3) and visible pixels (N×H×W) at the cache shape → what the networks say of each."""
        presence = self._average("classifier", self.classifiers, images)
        maps = self._average("segmenter", self.segmenters, images)
        return [self._prediction(*one) for one in zip(presence, maps, visible, strict=True)]

    def _prediction(self, presence: Probabilities, maps: Probabilities, visible: npt.NDArray[np.bool_]) -> Prediction:
        seen = resize_mask(visible, self.metadata.output_shape)
        levels = to_levels(maps, self.metadata.output_shape)
        return Prediction(levels, seen, presence, top_fraction_mean(levels, seen, self.inference_settings.top_fraction))

    def _average(self, kind: str, engines: Sequence[Engine], images: Images) -> Probabilities:
        """Over members and views; views go through a network together where the pictures are few."""
        flips, at_once = self.inference_settings.flips, max(1, TOGETHER // len(images))
        groups = [flips[begin : begin + at_once] for begin in range(0, len(flips), at_once)]
        named = [(f"{kind} {number} of {len(engines)}", engine) for number, engine in enumerate(engines, start=1)]
        views = (view for one in named for group in groups for view in _predict_views(*one, images, group))
        total = next(views).copy()
        for view in views:
            total += view
        return np.asarray(total / (len(engines) * len(flips)), np.float32)


def _predict_views(name: str, engine: Engine, images: Images, flips: Sequence[Flip]) -> Iterator[Probabilities]:
    """What the network says of each view, turned back."""
    fitted = fit_images(images, engine.input_shape)
    probabilities = engine(
        np.concatenate([fitted[:, rows, columns] for rows, columns in map(FLIPS.__getitem__, flips)])
    )
    # As levels they would be 0, which looks like an answer.
    if not np.isfinite(probabilities).all():
        raise UserError(f"{name} answers NaN, where probabilities are expected; train it anew, or take another model")
    for flip, view in zip(flips, np.split(probabilities, len(flips)), strict=True):
        yield view if view.ndim == 2 else view[(..., *FLIPS[flip])]


def fit_images(images: Images, shape: Shape) -> Images:
    if images.shape[1:3] == tuple(shape):
        return images
    return np.stack([fit_image(image, shape) for image in images])
