"""The ensemble: images → predictions, averaged over networks and flipped views."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nephoscope.data.images import fit_image
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.engines import Engine, Images, Outputs, Probabilities
from nephoscope.inference.joint import InTurn, JointEngine, find_joint
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
    """Classifiers and segmenters whose probabilities are averaged. Outputs of a joint engine are computed together."""

    metadata: Metadata
    classifiers: Sequence[Engine]
    segmenters: Sequence[Engine]
    inference_settings: InferenceSettings
    engines: Mapping[str, str] = field(default_factory=dict)
    """Name of a network → its engine and precision."""

    def predict(self, images: Images, visible: npt.NDArray[np.bool_]) -> list[Prediction]:
        """Images (N×H×W×3) and visible pixels (N×H×W) at the cache shape → one prediction per image."""
        presence, maps = self._compute(images)
        return [self._to_prediction(*row) for row in zip(presence, maps, visible, strict=True)]

    def _compute(self, images: Images) -> Outputs:
        """Mean presence (N×C) and mean maps (N×C×H×W)."""
        if joint := find_joint(self.classifiers, self.segmenters):
            return self._average(("classifier", "segmenter"), [joint], images)
        classifiers, segmenters = (
            [InTurn((engine,)) for engine in engines] for engines in (self.classifiers, self.segmenters)
        )
        return self._average(("classifier",), classifiers, images) + self._average(("segmenter",), segmenters, images)

    def _to_prediction(
        self, presence: Probabilities, maps: Probabilities, visible: npt.NDArray[np.bool_]
    ) -> Prediction:
        visible = resize_mask(visible, self.metadata.output_shape)
        levels = to_levels(maps, self.metadata.output_shape)
        top_mean = top_fraction_mean(levels, visible, self.inference_settings.top_fraction)
        return Prediction(levels, visible, presence, top_mean)

    def _average(self, kinds: Sequence[str], engines: Sequence[JointEngine], images: Images) -> Outputs:
        """Mean probabilities over engines and views, for each kind of network that the engines compute together."""
        flips, size = self.inference_settings.flips, max(1, MAX_VIEWS_PER_CALL // len(images))
        groups = [flips[begin : begin + size] for begin in range(0, len(flips), size)]
        views = (
            view
            for number, engine in enumerate(engines, start=1)
            for group in groups
            for view in _predict_views(
                engine, images, group, self._expect(kinds, engine, f"{number} of {len(engines)}")
            )
        )
        totals = [output.copy() for output in next(views)]
        for view in views:
            for total, output in zip(totals, view, strict=True):
                total += output
        return tuple(np.asarray(total / (len(engines) * len(flips)), np.float32) for total in totals)

    def _expect(self, kinds: Sequence[str], engine: JointEngine, number: str) -> dict[str, tuple[int, ...]]:
        """Name of a network → the shape of its probabilities for one image."""
        count, shape = len(self.metadata.classes), engine.input_shape
        return {f"{kind} {number}": (count, *(shape if kind == "segmenter" else ())) for kind in kinds}


def _predict_views(
    engine: JointEngine, images: Images, flips: Sequence[Flip], expected: Mapping[str, tuple[int, ...]]
) -> Iterator[Outputs]:
    """Probabilities of each flipped view, flipped back; `expected`: name and shape of every output."""
    resized = fit_images(images, engine.input_shape)
    outputs = engine.run(np.concatenate([resized[:, rows, columns] for rows, columns in (FLIPS[f] for f in flips)]))
    if len(outputs) != len(expected):
        raise UserError(f"{' and '.join(expected)} return {len(outputs)} outputs together; use another model")
    for output, (name, shape) in zip(outputs, expected.items(), strict=True):
        _check_output(name, output, (len(images) * len(flips), *shape))
    for flip, *views in zip(flips, *(np.split(output, len(flips)) for output in outputs), strict=True):
        yield tuple(view if view.ndim == 2 else view[(..., *FLIPS[flip])] for view in views)


def _check_output(name: str, output: Probabilities, shape: tuple[int, ...]) -> None:
    if output.shape != shape:
        raise UserError(
            f"{name} returns an array of {output.shape[1:]} for an image; expected {shape[1:]}; use another model"
        )
    # NaN would become level 0, which looks like a valid probability.
    if not np.isfinite(output).all():
        raise UserError(f"{name} returns NaN instead of probabilities; train it again, or use another model")


def fit_images(images: Images, shape: Shape) -> Images:
    """Images (N×H×W×3) → images of this shape, as a network sees them."""
    if images.shape[1:3] == tuple(shape):
        return images
    return np.stack([fit_image(image, shape) for image in images])
