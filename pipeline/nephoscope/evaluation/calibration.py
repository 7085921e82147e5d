"""Calibration of presence: a logistic fit per class, and tables that show how reliable the probabilities are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression

from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.presence import SURE_LABEL, UNSURE_LABEL, PresenceDecision, RawPresences, logit
from nephoscope.rules.rules import Calibration

Scores = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BIN_COUNT = 10
WEAK_PENALTY = 3.0
"""Inverse strength. Of 1 to 10 and none, it had the smallest error on fresh images, for 15 to 4000 images."""
EVERY_CLASS = "all classes"
CALIBRATED = "calibrated probability"


def fit_calibrations(scores: npt.NDArray[np.floating], present: Bools) -> tuple[Calibration, ...]:
    """Scores and true presence (N×C each) → one calibration per class."""
    return tuple(_fit(scores[:, index], present[:, index]) for index in range(scores.shape[1]))


def _fit(scores: npt.NDArray[np.floating], present: Bools) -> Calibration:
    # A class that is always or never present cannot be calibrated; its scores stay unchanged.
    if present.all() or not present.any():
        return Calibration()
    logits = logit(scores)
    mean, deviation = float(logits.mean()), float(logits.std())
    if deviation > 0:
        # Standardised, so that the penalty does not depend on the scale of the scores. It only guards separable data.
        model = LogisticRegression(C=WEAK_PENALTY).fit(((logits - mean) / deviation)[:, None], present)
        slope = float(model.coef_[0, 0]) / deviation
        if slope > 0:
            return Calibration(slope=slope, intercept=float(model.intercept_[0]) - slope * mean)
    # The score falls where presence rises, so it is useless: predict the base rate instead of reversing the order.
    return Calibration(slope=0.0, intercept=float(logit(present.mean(keepdims=True))[0]))


class PresenceSource(NamedTuple):
    """One source of presence scores, by its name in the tables."""

    name: str
    scores: Scores
    """N×C"""


def presence_sources(raw: RawPresences, decision: PresenceDecision) -> list[PresenceSource]:
    """The raw scores of classifier and segmenter, and the calibrated probability."""
    return [
        PresenceSource("classifier, raw", np.asarray(raw.classifier, np.float64)),
        PresenceSource("segmenter, raw", np.asarray(raw.top_mean, np.float64)),
        PresenceSource(CALIBRATED, decision.probability),
    ]


def reliability_table(sources: Sequence[PresenceSource], present: Bools, classes: tuple[str, ...]) -> pd.DataFrame:
    """source, class_name, predicted (mean score of a bin), observed (share present), image_count: ten equal bins."""
    rows = [
        (source.name, class_name, *values)
        for source in sources
        for class_name, scores, truth in _per_class(source.scores, present, classes)
        for values in _bin(scores, truth)
    ]
    return pd.DataFrame(rows, columns=["source", "class_name", "predicted", "observed", "image_count"])


def _per_class(scores: Scores, present: Bools, classes: tuple[str, ...]) -> list[tuple[str, Scores, Bools]]:
    """(class_name, scores, present) of every class, and last of all classes together."""
    per_class = [(name, scores[:, index], present[:, index]) for index, name in enumerate(classes)]
    return [*per_class, (EVERY_CLASS, scores.ravel(), present.ravel())]


def _bin(scores: Scores, present: Bools) -> list[tuple[float, float, int]]:
    """(mean score, share present, count) of every bin that is not empty."""
    bins = np.minimum((scores * BIN_COUNT).astype(int), BIN_COUNT - 1)
    filled = [bins == index for index in range(BIN_COUNT) if (bins == index).any()]
    return [(float(scores[inside].mean()), float(present[inside].mean()), int(inside.sum())) for inside in filled]


def brier_table(
    sources: Sequence[PresenceSource], present: Bools, classes: tuple[str, ...], bootstrap: Bootstrap
) -> pd.DataFrame:
    """source, class_name, brier, low, high, calibration_error (mean |score - share present| over the bins)."""
    rows = []
    for source in sources:
        squared = (source.scores - present) ** 2
        intervals = [bootstrap.interval(squared[:, index]) for index in range(len(classes))]
        for (class_name, scores, truth), interval in zip(
            _per_class(source.scores, present, classes), [*intervals, bootstrap.interval(squared)], strict=True
        ):
            error = sum(abs(mean - share) * count for mean, share, count in _bin(scores, truth)) / len(truth)
            rows.append((source.name, class_name, interval.mean, interval.low, interval.high, error))
    return pd.DataFrame(rows, columns=["source", "class_name", "brier", "low", "high", "calibration_error"])


def confidence_table(decision: PresenceDecision, present: Bools, classes: tuple[str, ...]) -> pd.DataFrame:
    """confidence_label, class_name, share of decisions, wrong_share of them, predicted_wrong_share (1 - confidence)"""
    wrong, expected_wrong, rows = decision.present != present, 1 - decision.confidence, []
    for label, chosen in ((SURE_LABEL, ~decision.unsure), (UNSURE_LABEL, decision.unsure)):
        for class_name, expected, inside in _per_class(expected_wrong, chosen, classes):
            errors = wrong.ravel() if class_name == EVERY_CLASS else wrong[:, classes.index(class_name)]
            shares = (errors[inside].mean(), expected[inside].mean()) if inside.any() else (np.nan, np.nan)
            rows.append((label, class_name, inside.mean(), *shares))
    return pd.DataFrame(
        rows, columns=["confidence_label", "class_name", "share", "wrong_share", "predicted_wrong_share"]
    )
