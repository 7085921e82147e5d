"""Calibration of presence: a logistic fit per class, so that a score of 0.7 is right in seven cases of ten."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression

from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.presence import SURE_MARK, UNSURE_MARK, PresenceDecision, RawPresences, decide_presence, logit
from nephoscope.rules.rules import Calibration, Rules


def fit_calibrations(scores: npt.NDArray[np.floating], present: npt.NDArray[np.bool_]) -> tuple[Calibration, ...]:
    """Scores and true presence (N×C each) → one calibration per class."""
    return tuple(_fit(scores[:, index], present[:, index]) for index in range(scores.shape[1]))


def _fit(scores: npt.NDArray[np.floating], present: npt.NDArray[np.bool_]) -> Calibration:
    """A class that is always or never present cannot be calibrated: its scores stay as they are."""
    if present.all() or not present.any():
        return Calibration()
    model = LogisticRegression().fit(logit(scores)[:, None], present)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope > 0:
        return Calibration(slope=slope, intercept=intercept)
    # A score that falls where presence rises knows nothing: say the base rate, never turn the order round.
    return Calibration(slope=0.0, intercept=float(logit(present.mean(keepdims=True))[0]))


Scores = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BINS = 10
EVERY_CLASS = "all classes"
CHANCE = "calibrated chance"


class Stated(NamedTuple):
    """What was said of presence (N×C), by whom."""

    source: str
    scores: Scores


def statements(raw: RawPresences, rules: Rules) -> list[Stated]:
    """Before and after calibration: both networks as they come, and the chance that is told."""
    return [
        Stated("classifier as it comes", np.asarray(raw.classifier, np.float64)),
        Stated("strongest pixels as they come", np.asarray(raw.top_mean, np.float64)),
        Stated(CHANCE, decide_presence(raw, rules).probability),
    ]


def reliability_table(stated: list[Stated], present: Bools, classes: tuple[str, ...]) -> pd.DataFrame:
    """source, class_name, stated (mean of the bin), found (share present), pictures: ten bins of equal width."""
    rows = [
        (one.source, name, *each)
        for one in stated
        for name, scores, true in _by_class(one.scores, present, classes)
        for each in _bins(scores, true)
    ]
    return pd.DataFrame(rows, columns=["source", "class_name", "stated", "found", "pictures"])


def _by_class(scores: Scores, present: Bools, classes: tuple[str, ...]) -> list[tuple[str, Scores, Bools]]:
    each = [(name, scores[:, index], present[:, index]) for index, name in enumerate(classes)]
    return [*each, (EVERY_CLASS, scores.ravel(), present.ravel())]


def _bins(scores: Scores, present: Bools) -> list[tuple[float, float, int]]:
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    filled = [place == index for index in range(BINS) if (place == index).any()]
    return [(float(scores[inside].mean()), float(present[inside].mean()), int(inside.sum())) for inside in filled]


def brier_table(stated: list[Stated], present: Bools, classes: tuple[str, ...], bootstrap: Bootstrap) -> pd.DataFrame:
    """source, class_name, brier with its interval, calibration_error (mean distance of stated from found)."""
    rows = []
    for one in stated:
        squared = (one.scores - present) ** 2
        intervals = [bootstrap.interval(squared[:, index]) for index in range(len(classes))]
        for (name, scores, true), interval in zip(
            _by_class(one.scores, present, classes), [*intervals, bootstrap.interval(squared)], strict=True
        ):
            error = sum(abs(said - found) * count for said, found, count in _bins(scores, true)) / len(true)
            rows.append((one.source, name, interval.mean, interval.low, interval.high, error))
    return pd.DataFrame(rows, columns=["source", "class_name", "brier", "low", "high", "calibration_error"])


def confidence_table(decision: PresenceDecision, present: Bools, classes: tuple[str, ...]) -> pd.DataFrame:
    """mark, class_name, share of the decisions, wrong_share (of them), stated_wrong_share (1 - confidence)."""
    wrong, stated, rows = decision.present != present, 1 - decision.confidence, []
    for mark, marked in ((SURE_MARK, ~decision.unsure), (UNSURE_MARK, decision.unsure)):
        for name, errors, inside in _by_class(stated, marked, classes):
            found = wrong.ravel() if name == EVERY_CLASS else wrong[:, classes.index(name)]
            shares = (found[inside].mean(), errors[inside].mean()) if inside.any() else (np.nan, np.nan)
            rows.append((mark, name, inside.mean(), *shares))
    return pd.DataFrame(rows, columns=["mark", "class_name", "share", "wrong_share", "stated_wrong_share"])
