"""Rules fitted to pictures: presence calibrated, every class searched, presence thresholds brought closer together."""

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
    """per class"""


def fit_presence(evidence: Evidence, counting: Bools, *, calibrate: bool) -> Rules:
    """Rules whose presence is calibrated on the counting pictures (N); every mask is shown at level 128."""
    raw, present = evidence.raw, evidence.present[counting]
    plain = tuple(Calibration() for _ in evidence.classes)
    return Rules(
        classes=evidence.classes,
        output_shape=evidence.output_shape,
        inference_settings=evidence.inference_settings,
        classifier_weight=1,
        classifier_calibrations=fit_calibrations(raw.classifier[counting], present) if calibrate else plain,
        top_fraction_calibrations=fit_calibrations(raw.top_mean[counting], present) if calibrate else plain,
        rules=tuple(Rule(presence_threshold=0, pixel_threshold=128, min_area=0) for _ in evidence.classes),
    )


def pose(
    evidence: Evidence, grid: Grid, fitted: Rules, weight: Floats, constraints: Sequence[Constraint | None]
) -> list[Problem]:
    """One problem per class: pictures weigh `weight` (N) and are shown in the order of their fitted presence.

    Forcing couples the classes, so thresholds are searched without it; it is applied when masks are decided.
    """
    if not grid.gated:
        return [Problem.open(weight) for _ in evidence.classes]
    scores = fuse(evidence.raw, fitted)
    each = zip(scores.T, evidence.present.T, constraints, strict=True)
    return [Problem.gated(score, weight, present, objective) for score, present, objective in each]


def fit_rules(
    evidence: Evidence,
    grid: Grid,
    fitted: Sequence[Rules],
    weights: Sequence[Floats],
    constraints: Sequence[Constraint | None],
    shrinkage: float,
) -> list[Fit]:
    """Fitted presences, each with the weights of the pictures (N) → the rules chosen for each."""
    pairs = zip(fitted, weights, strict=True)
    of_class = zip(*(pose(evidence, grid, rules, weight, constraints) for rules, weight in pairs), strict=True)
    searched = delayed(choose)
    choices = Parallel(n_jobs=-1, prefer="threads")(
        searched(one, grid, problems) for one, problems in zip(evidence.of_class, of_class, strict=True)
    )
    each = zip(fitted, weights, zip(*choices, strict=True), strict=True)
    return [
        Fit(_finish(evidence, rules, weight, chosen, constraints, shrinkage), chosen) for rules, weight, chosen in each
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
    present, counting = evidence.present, weight > 0
    seen, missed = present[counting].any(axis=0), (~present[counting]).any(axis=0)
    gated = thresholds > 0
    # A class that is not there to be shown, and one of which the best is to show nothing.
    worthless = np.array([choice.best.presence_threshold == NEVER for choice in choices])
    never = ~seen | (gated & worthless)
    free = missed & gated & ~never & [objective is None for objective in constraints]
    # Calibrated thresholds mean the same in every class, so each may learn from the others.
    thresholds[free] += shrinkage * (thresholds[free].mean() - thresholds[free]) if free.any() else 0
    thresholds[never] = NEVER
    each = zip(choices, thresholds, strict=True)
    rules = tuple(one.middle.model_copy(update={"presence_threshold": float(value)}) for one, value in each)
    return fitted.model_copy(update={"rules": rules})
