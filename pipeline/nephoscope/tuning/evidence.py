"""Evidence: everything that tuning needs from the images, collected in one pass. Pixels are not kept."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from tqdm import tqdm

from nephoscope.evaluation.labelled import LabelledImage, LabelledImages, number_groups
from nephoscope.masks.rle import Shape
from nephoscope.masks.spans import FIRST, LAST, Spans, find_spans
from nephoscope.rules.decide import adapt_thresholds
from nephoscope.rules.presence import RawPresences, presences
from nephoscope.rules.rules import InferenceSettings, Rule, Rules
from nephoscope.tuning.gains import gains_of_cell

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassEvidence:
    """One class in N images."""

    spans: Spans
    """S×4, image after image"""
    starts: Ints
    """N + 1: the spans of image i are spans[starts[i]:starts[i + 1]]"""
    truth_area: Ints
    """N, in pixels"""

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        return self.truth_area > 0

    def take(self, indices: Ints) -> Self:
        """The evidence of some of the images."""
        spans = [self.spans[self.starts[index] : self.starts[index + 1]] for index in indices]
        starts = np.cumsum([0, *(len(rows) for rows in spans)])
        return type(self)(np.concatenate(spans), starts, self.truth_area[indices])

    def at_levels(self, levels: Ints) -> Self:
        """The evidence with other thresholds: for image i, threshold t (0 to 255) now means level levels[i, t].

        `levels` (N×256) ascends in every row.
        """
        thresholds = np.arange(256)
        lowest = np.stack([np.searchsorted(row, thresholds, "left") for row in levels])
        highest = np.stack([np.searchsorted(row, thresholds, "right") - 1 for row in levels])
        image = np.repeat(np.arange(len(levels)), np.diff(self.starts))
        spans = self.spans.copy()
        spans[:, FIRST] = lowest[image, self.spans[:, FIRST]]
        spans[:, LAST] = highest[image, self.spans[:, LAST]]
        kept = spans[:, FIRST] <= spans[:, LAST]
        starts = np.append(0, np.cumsum(np.bincount(image[kept], minlength=len(levels))))
        return type(self)(spans[kept], starts, self.truth_area)

    def gains_of(self, rule: Rule) -> Floats:
        """N: the gain in Dice of the mask by this rule over an empty mask. The presence threshold is ignored."""
        gains: Floats = gains_of_cell(self.spans, self.starts, self.truth_area, rule.pixel_threshold, rule.min_area)
        return gains


@dataclass(frozen=True)
class Evidence:
    """All classes in N images."""

    classes: tuple[str, ...]
    output_shape: Shape
    inference_settings: InferenceSettings
    raw: RawPresences
    of_class: tuple[ClassEvidence, ...]
    groups: Ints
    """N: the group of near duplicates of every image, numbered from 0"""

    def __len__(self) -> int:
        return len(self.raw.classifier)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """N×C"""
        return np.stack([evidence.present for evidence in self.of_class], axis=1)

    def take(self, indices: Ints) -> Self:
        """The evidence of some of the images."""
        raw = RawPresences(self.raw.classifier[indices], self.raw.top_mean[indices])
        of_class = tuple(evidence.take(indices) for evidence in self.of_class)
        return replace(self, raw=raw, of_class=of_class, groups=number_groups(self.groups[indices], len(indices)))

    def adapted(self, power: float) -> Self:
        """The evidence for rules with this `adaptive_power`."""
        if not power:
            return self
        classes = zip(self.of_class, self.raw.top_mean.T, strict=True)
        adapted = tuple(evidence.at_levels(adapt_thresholds(top_mean, power)) for evidence, top_mean in classes)
        return replace(self, of_class=adapted)

    def dices(self, rules: Rules) -> Floats:
        """N×C: the Dice of these rules, equal to what `score_images` measures on masks."""
        thresholds = [rule.presence_threshold for rule in rules.rules]
        shown = presences(self.raw, rules) >= thresholds
        classes = zip(self.of_class, rules.rules, strict=True)
        gains = np.stack([evidence.gains_of(rule) for evidence, rule in classes], axis=1)
        return np.asarray(~self.present + shown * gains, np.float64)


def gather(labelled: LabelledImages, *, progress: bool = False) -> Evidence:
    """One pass over labelled images. An image needs a few kilobytes for its spans, whatever its size."""
    # Threads suffice: compiled code and decompression release the interpreter's lock.
    read = delayed(lambda index: _evidence_of_image(labelled[index]))
    images = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(read(i) for i in range(len(labelled)))
    bar = tqdm(images, total=len(labelled), desc="tune", unit="image", disable=not progress)
    of_class = tuple(_join_images(class_images) for class_images in zip(*bar, strict=True))
    shape, settings = labelled.output_shape, labelled.inference_settings
    return Evidence(labelled.classes, shape, settings, labelled.raw, of_class, labelled.groups)


def _evidence_of_image(image: LabelledImage) -> list[tuple[Spans, int]]:
    """Per class: its spans and the area of its truth."""
    levels = np.where(image.visible, image.levels, np.uint8(0))
    return [(find_spans(level, truth), int(truth.sum())) for level, truth in zip(levels, image.truth, strict=True)]


def _join_images(images: Iterable[tuple[Spans, int]]) -> ClassEvidence:
    spans, truth_areas = zip(*images, strict=True)
    starts = np.cumsum([0, *(len(rows) for rows in spans)])
    return ClassEvidence(np.concatenate(spans), starts, np.array(truth_areas, np.int64))
