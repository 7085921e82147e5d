"""Evidence: all that tuning needs to know of every picture, gathered in one pass; the pixels are not kept."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from tqdm import tqdm

from nephoscope.evaluation.labelled import LabelledImages
from nephoscope.masks.rle import Shape
from nephoscope.masks.spans import FIRST, LAST, PEAK, Spans, find_spans
from nephoscope.rules.decide import adapt_thresholds
from nephoscope.rules.presence import RawPresences, presences
from nephoscope.rules.rules import InferenceSettings, Rule, Rules
from nephoscope.tuning.gains import gains_of_cell

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassEvidence:
    """What is known of one class in N pictures."""

    spans: Spans
    """S×5, picture after picture"""
    starts: Ints
    """N + 1: where the spans of a picture begin, and end"""
    truth_area: Ints
    """N"""
    reach: Ints
    """N×256: pixels that reach a level"""

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        return self.truth_area > 0

    def take(self, indices: Ints) -> Self:
        """The same of some of the pictures."""
        spans = [self.spans[self.starts[index] : self.starts[index + 1]] for index in indices]
        starts = np.cumsum([0, *(len(one) for one in spans)])
        return type(self)(np.concatenate(spans), starts, self.truth_area[indices], self.reach[indices])

    def held_at(self, levels: Ints) -> Self:
        """The same, each threshold (0 to 255) holding at the level (N×256, ascending) that a picture has for it."""
        thresholds = np.arange(256)
        lowest = np.stack([np.searchsorted(row, thresholds, "left") for row in levels])
        highest = np.stack([np.searchsorted(row, thresholds, "right") - 1 for row in levels])
        picture = np.repeat(np.arange(len(levels)), np.diff(self.starts))
        spans = self.spans.copy()
        spans[:, FIRST] = lowest[picture, self.spans[:, FIRST]]
        spans[:, LAST] = highest[picture, self.spans[:, LAST]]
        spans[:, PEAK] = highest[picture, self.spans[:, PEAK]]
        stands = spans[:, FIRST] <= spans[:, LAST]
        starts = np.append(0, np.cumsum(np.bincount(picture[stands], minlength=len(levels))))
        return type(self)(spans[stands], starts, self.truth_area, np.take_along_axis(self.reach, levels, axis=1))

    def shown_gains(self, rule: Rule) -> Floats:
        """N: what showing the mask of every picture gains over leaving it empty, in Dice; the gate is not asked."""
        cell = (rule.pixel_threshold, rule.min_area, rule.high_threshold or 0)
        gains: Floats = gains_of_cell(self.spans, self.starts, self.truth_area, *cell)
        if rule.core_threshold is None:
            return gains
        return np.where(self.reach[:, rule.core_threshold] >= rule.core_area, gains, 0.0)


@dataclass(frozen=True)
class Evidence:
    classes: tuple[str, ...]
    output_shape: Shape
    inference_settings: InferenceSettings
    raw: RawPresences
    of_class: tuple[ClassEvidence, ...]

    def __len__(self) -> int:
        return len(self.raw.classifier)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """N×C"""
        return np.stack([one.present for one in self.of_class], axis=1)

    def take(self, indices: Ints) -> Self:
        """The same of some of the pictures."""
        raw = RawPresences(self.raw.classifier[indices], self.raw.top_mean[indices])
        return replace(self, raw=raw, of_class=tuple(one.take(indices) for one in self.of_class))

    def following(self, power: float) -> Self:
        """The same, thresholds on pixels following every picture's strongest pixels (`Rules.adaptive_power`)."""
        if not power:
            return self
        each = zip(self.of_class, self.raw.top_mean.T, strict=True)
        return replace(self, of_class=tuple(one.held_at(adapt_thresholds(top_mean, power)) for one, top_mean in each))

    def dices(self, rules: Rules) -> Floats:
        """N×C: the Dice of every picture and class by these rules, as judging finds it."""
        thresholds = [rule.presence_threshold for rule in rules.rules]
        shown = presences(self.raw, rules) >= thresholds
        each = zip(self.of_class, rules.rules, strict=True)
        gains = np.stack([one.shown_gains(rule) for one, rule in each], axis=1)
        return np.asarray(~self.present + shown * gains, np.float64)


def gather(labelled: LabelledImages) -> Evidence:
    """One pass over judged pictures; memory grows with their spans, a few kilobytes each, not with their pixels."""
    of_picture = delayed(lambda index: [_class_of_picture(*one) for one in _planes(labelled, index)])
    # Threads: compiled code and decompression let go of the interpreter's lock.
    pictures = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(of_picture(i) for i in range(len(labelled)))
    progress = tqdm(pictures, total=len(labelled), desc="tune", unit="picture")
    of_class = tuple(_of_class(each) for each in zip(*progress, strict=True))
    return Evidence(labelled.classes, labelled.output_shape, labelled.inference_settings, labelled.raw, of_class)


_Picture = tuple[Spans, int, Ints]
"""Spans, truth area and reach of one class in one picture."""


def _planes(labelled: LabelledImages, index: int) -> Iterable[tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]]:
    image = labelled[index]
    return zip(np.where(image.visible, image.levels, np.uint8(0)), image.truth, strict=True)


def _class_of_picture(levels: npt.NDArray[np.uint8], truth: npt.NDArray[np.bool_]) -> _Picture:
    counts = np.bincount(levels.ravel(), minlength=256)
    return find_spans(levels, truth), int(truth.sum()), np.cumsum(counts[::-1], dtype=np.int64)[::-1]


def _of_class(pictures: Iterable[_Picture]) -> ClassEvidence:
    spans, truth_areas, reaches = zip(*pictures, strict=True)
    starts = np.cumsum([0, *(len(one) for one in spans)])
    return ClassEvidence(np.concatenate(spans), starts, np.array(truth_areas, np.int64), np.stack(reaches))
