"""Rules fitted to images: calibrated presence, a search per class, presence thresholds shrunk towards their mean."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from nephoscope.evaluation.calibration import fit_calibrations
from nephoscope.rules.presence import fuse
from nephoscope.rules.rules import NEVER, Calibration, Rule, Rules
from nephoscope.tuning.constraints import Constraint
from nephoscope.tuning.evidence import Evidence
from nephoscope.tuning.families import Grid
from nephoscope.tuning.plateau import Choice, choose
from nephoscope.tuning.search import Problem

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Fit(NamedTuple):
    rules: Rules
    choices: tuple[Choice, ...]
    """One per class"""


def fit_presence(evidence: Evidence, counted: Bools, *, calibrate: bool) -> Rules:
    """Rules with presence calibrated on the counted images (N). They show every mask, at level 128."""
    raw, present = evidence.raw, evidence.present[counted]
    uncalibrated = tuple(Calibration() for _ in evidence.classes)
    return Rules(
        classes=evidence.classes,
        output_shape=evidence.output_shape,
        inference_settings=evidence.inference_settings,
        classifier_weight=1,
        classifier_calibrations=fit_calibrations(raw.classifier[counted], present) if calibrate else uncalibrated,
        top_fraction_calibrations=fit_calibrations(raw.top_mean[counted], present) if calibrate else uncalibrated,
        rules=tuple(Rule(presence_threshold=0, pixel_threshold=128, min_area=0) for _ in evidence.classes),
    )


def pose_problems(
    evidence: Evidence, grid: Grid, fitted: Rules, weight: Floats, constraints: Sequence[Constraint | None]
) -> list[Problem]:
    """One problem per class: images have `weight` (N) and are sorted by their fitted presence.

    A forced top class couples the classes, so the search ignores it. Only the decision about masks applies it.
    """
    if not grid.gated:
        return [Problem.open(weight) for _ in evidence.classes]
    scores = fuse(evidence.raw, fitted)
    classes = zip(scores.T, evidence.present.T, constraints, strict=True)
    return [Problem.gated(score, weight, present, constraint) for score, present, constraint in classes]


def fit_rules(
    evidence: Evidence,
    grid: Grid,
    fitted: Sequence[Rules],
    weights: Sequence[Floats],
    constraints: Sequence[Constraint | None],
    shrinkage: float,
) -> list[Fit]:
    """Fitted presences with the weights of the images (N each) → one fit for each of them."""
    problems = [
        pose_problems(evidence, grid, rules, weight, constraints) for rules, weight in zip(fitted, weights, strict=True)
    ]
    choices_of_class = Parallel(n_jobs=-1, prefer="threads")(
        delayed(choose)(class_evidence, grid, class_problems)
        for class_evidence, class_problems in zip(evidence.of_class, zip(*problems, strict=True), strict=True)
    )
    fits = zip(fitted, weights, zip(*choices_of_class, strict=True), strict=True)
    return [
        Fit(_finish(evidence, rules, weight, choices, constraints, shrinkage), choices)
        for rules, weight, choices in fits
    ]


def _finish(
    evidence: Evidence,
    fitted: Rules,
    weight: Floats,
    choices: Sequence[Choice],
    constraints: Sequence[Constraint | None],
    shrinkage: float,
) -> Rules:
    thresholds = np.array([choice.middle.presence_threshold for choice in choices])
    counted = evidence.present[weight > 0]
    ever_present, ever_absent = counted.any(axis=0), (~counted).any(axis=0)
    gated = thresholds > 0
    # Classes whose best rule shows nothing, and classes that are never present.
    best_empty = np.array([choice.best.presence_threshold == NEVER for choice in choices])
    never = ~ever_present | (gated & best_empty)
    free = ever_absent & gated & ~never & [constraint is None for constraint in constraints]
    # Calibrated thresholds mean the same in every class, so classes can learn from each other.
    thresholds[free] += shrinkage * (thresholds[free].mean() - thresholds[free]) if free.any() else 0
    thresholds[never] = NEVER
    rules = tuple(
        choice.middle.model_copy(update={"presence_threshold": float(threshold)})
        for choice, threshold in zip(choices, thresholds, strict=True)
    )
    return fitted.model_copy(update={"rules": rules})
