"""Precision and recall over thresholds. Average precision is the area under the step curve."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve

from nephoscope.evaluation.labelled import LabelledImage

ROUNDED = 1e-6
"""Files of curves have six digits."""


@dataclass(frozen=True)
class Curve:
    """Thresholds descend, so recall ascends. Points where nothing changes are left out."""

    threshold: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    average_precision: float
    """NaN if the class is never present"""

    @classmethod
    def empty(cls) -> Self:
        return cls(np.zeros(0), np.zeros(0), np.zeros(0), float("nan"))

    def table(self, class_name: str) -> pd.DataFrame:
        columns = {"threshold": self.threshold, "recall": self.recall, "precision": self.precision}
        return pd.DataFrame(columns).assign(class_name=class_name)


def reached_at(thresholds: npt.NDArray[np.float64], threshold: float) -> int | None:
    """Index of the point for this threshold; None if the threshold is above all scores.

    >>> reached_at(np.array([0.9, 0.5, 0.1]), 0.4), reached_at(np.array([0.9, 0.5, 0.1]), 0.95)
    (1, None)
    """
    reached = int(np.searchsorted(-thresholds, ROUNDED - threshold, side="right"))
    return reached - 1 if reached else None


def presence_curve(scores: npt.NDArray[np.floating], present: npt.NDArray[np.bool_]) -> Curve:
    """Scores and true presence of one class (N each) → its curve."""
    if not present.any():
        return Curve.empty()
    precision, recall, threshold = precision_recall_curve(present, scores)
    average = float(average_precision_score(present, scores))
    return Curve(threshold[::-1], precision[:-1][::-1], recall[:-1][::-1], average)


def pixel_curve(positives: npt.NDArray[np.int64], totals: npt.NDArray[np.int64]) -> Curve:
    """True pixels and all pixels per level (256 each) → the curve over all levels that occur."""
    if positives.sum() == 0:
        return Curve.empty()
    used = np.flatnonzero(totals)[::-1]
    hits, predicted = np.cumsum(positives[used]), np.cumsum(totals[used])
    precision, recall = hits / predicted, hits / hits[-1]
    average = float(np.sum(np.diff(recall, prepend=0) * precision))
    return Curve(used / 255, precision, recall, average)


def count_levels(
    images: Iterable[LabelledImage], class_count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Images → true visible pixels and all visible pixels, per class and level: C×256 each."""
    positives, totals = np.zeros((2, class_count, 256), np.int64)
    for image in images:
        for index in range(class_count):
            levels, truth = image.levels[index][image.visible], image.truth[index][image.visible]
            positives[index] += np.bincount(levels[truth], minlength=256)
            totals[index] += np.bincount(levels, minlength=256)
    return positives, totals


def presence_curves(presence: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]) -> list[Curve]:
    """N×C each → a curve per class, and last the curve of any class (maximum over classes)."""
    curves = [presence_curve(presence[:, index], present[:, index]) for index in range(presence.shape[1])]
    return [*curves, presence_curve(presence.max(axis=1), np.asarray(present.any(axis=1)))]


def pixel_curves(images: Iterable[LabelledImage], class_count: int) -> list[Curve]:
    """A curve per class over the visible pixels of all images together."""
    return [pixel_curve(*counts) for counts in zip(*count_levels(images, class_count), strict=True)]


def average_precisions(curves: Iterable[Curve]) -> list[float]:
    return [curve.average_precision for curve in curves]
