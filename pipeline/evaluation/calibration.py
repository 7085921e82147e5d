"""Calibration of presence: a logistic fit per class, so that a score of 0.7 is right in seven cases of ten."""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from pipeline.masks.rule import Calibration, logit


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
