"""Presence: calibrate the raw scores, fuse them into one number per image and class, and decide."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Calibration, Levels, Rules

Presences = npt.NDArray[np.float64]
"""N×C, values in [0, 1]."""
MAX_LOGIT = 700.0
"""A steep calibration reaches larger ones, which would overflow."""
SURE = 2 / 3
"""A decision on presence with a lower confidence is labelled unsure: more than one in three is wrong."""
SURE_LABEL, UNSURE_LABEL = "sure", "unsure"


@dataclass(frozen=True)
class RawPresences:
    """Raw presence scores of N images, N×C each."""

    classifier: npt.NDArray[np.floating]
    """Probability of the classifier."""
    top_mean: npt.NDArray[np.floating]
    """Mean probability of the segmenter over the top fraction of the visible pixels."""


class PresenceDecision(NamedTuple):
    """The presence of every class, N×C each."""

    probability: Presences
    """Calibrated probability that the class is there."""
    compared: Presences
    """The number that is compared with the presence threshold."""
    present: npt.NDArray[np.bool_]
    """The decision. A mask may still be empty, if all its components are too small."""

    @property
    def confidence(self) -> Presences:
        """Probability that the decision is right. Rules maximise Dice and may reject a class that is likely there."""
        return np.where(self.present, self.probability, 1 - self.probability)

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        return self.confidence < SURE

    def margins(self, rules: Rules) -> Presences:
        """How far `compared` exceeds the presence threshold; at least 0 where a class is present.

        Unlike `compared`, it can be averaged over the windows of a scene without an error at the threshold itself.
        """
        return self.compared - _thresholds(rules)


def decide_presence(raw: RawPresences, rules: Rules) -> PresenceDecision:
    """Raw scores of N images → calibrated probabilities and decisions."""
    fused = fuse(raw, rules)
    compared = _force_top_class(fused, rules)
    probability = fused if rules.presence_calibrations is None else calibrate(fused, rules.presence_calibrations)
    return PresenceDecision(probability, compared, compared >= _thresholds(rules))


def presences(raw: RawPresences, rules: Rules) -> Presences:
    """Raw scores → the numbers (N×C) that are compared with the presence thresholds."""
    return _force_top_class(fuse(raw, rules), rules)


def fuse(raw: RawPresences, rules: Rules) -> Presences:
    """Raw scores → one calibrated number per image and class (N×C). Does not depend on thresholds."""
    weight = rules.classifier_weight
    fused = weight * calibrate(raw.classifier, rules.classifier_calibrations)
    fused += (1 - weight) * calibrate(raw.top_mean, rules.top_fraction_calibrations)
    return fused


def _force_top_class(fused: Presences, rules: Rules) -> Presences:
    """If no class of an image is present, raise the most probable class to its threshold (if the rules say so)."""
    if not rules.force_top_class:
        return fused
    thresholds = _thresholds(rules)
    # A threshold above 1 means "never present", so such a class is never forced.
    possible = thresholds <= 1
    absent = (fused < thresholds).all(axis=1) & possible.any()
    top_class = np.where(possible, fused, -np.inf).argmax(axis=1)
    # Exactly the threshold: enough to be present, and no more confident than that.
    forced = fused.copy()
    forced[absent, top_class[absent]] = thresholds[top_class[absent]]
    return forced


def _thresholds(rules: Rules) -> Presences:
    return np.array([rule.presence_threshold for rule in rules.rules])


def calibrate(scores: npt.NDArray[np.floating], calibrations: tuple[Calibration, ...]) -> Presences:
    """Scores (N×C in [0, 1]) → calibrated presence (N×C).

    >>> calibrate(np.array([[0.5], [0.9]]), (Calibration(slope=2, intercept=1),)).round(3).tolist()
    [[0.731], [0.995]]
    """
    slopes = np.array([calibration.slope for calibration in calibrations])
    intercepts = np.array([calibration.intercept for calibration in calibrations])
    logits = np.clip(slopes * logit(scores) + intercepts, -MAX_LOGIT, MAX_LOGIT)
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)


def logit(scores: npt.NDArray[np.floating]) -> Presences:
    """Scores in [0, 1] → logits. Scores are clipped to [1e-6, 1 - 1e-6], so that all logits are finite."""
    inside = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def top_fraction_mean(levels: Levels, visible: Mask, share: float) -> npt.NDArray[np.float64]:
    """Levels (C×H×W) → mean probability (C) of this share of the visible pixels, highest first.

    >>> top_fraction_mean(np.array([[[255, 0, 0, 0]]], np.uint8), np.ones((1, 4), bool), 0.5)
    array([0.5])
    """
    mask = np.ascontiguousarray(visible).view(np.uint8)
    histograms = [cv2.calcHist([level], [0], mask, [256], [0, 256]).ravel() for level in np.ascontiguousarray(levels)]
    counts = np.stack(histograms).astype(np.int64)[:, ::-1]
    wanted = max(1, round(share * counts[0].sum()))
    before = np.cumsum(counts, axis=1) - counts
    taken = np.clip(wanted - before, 0, counts)
    return np.asarray(taken @ np.arange(255, -1, -1) / (255 * max(1, taken[0].sum())), np.float64)
