"""The exact tuner's front door: maps, truths and presences in; rules, honest estimates and intervals out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from nephoscope.data.truth import Truth
from nephoscope.errors import UserError
from nephoscope.evaluation.calibration import fit_calibrations
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledImages, LabelledSplit, label_arrays
from nephoscope.evaluation.store import ProbabilityStore
from nephoscope.masks.spans import AREA
from nephoscope.rules.presence import fuse
from nephoscope.rules.rules import Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.constraints import constraints_of
from nephoscope.tuning.crossfit import CrossFitted, CrossFitting, shrunk
from nephoscope.tuning.evidence import Evidence, gather
from nephoscope.tuning.families import Grid
from nephoscope.tuning.fitting import fit_rules, pose
from nephoscope.tuning.plateau import map_surface
from nephoscope.tuning.tables import (
    estimate_table,
    optimum_table,
    presence_table,
    surface_table,
    threshold_ends,
    threshold_table,
    trial_table,
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tuning:
    rules: Rules
    tables: dict[str, pd.DataFrame]
    """estimates, optimum, thresholds, trials, surface, presence: see `nephoscope.tuning.tables`"""
    tuned: Floats
    """N×C: Dice of the rules on the pictures they were tuned on"""
    cross_fitted: Floats
    """N×C: Dice of rules that were tuned and decided on other pictures; NaN where there are too few"""

    def metrics(self) -> dict[str, float]:
        """What `dvc metrics` shows: cross-fitted mean Dice, its interval and the tuned Dice, to three decimals."""
        table = self.tables["estimates"]
        means = table[table["class_name"] == "mean"]
        cross_fitted, tuned = (means[means["estimate"] == estimate] for estimate in ("cross-fitted", "tuned"))
        metrics = {name: cross_fitted[name].iloc[0] for name in ("dice", "low", "high")}
        metrics["tuned"] = tuned["dice"].iloc[0]
        return {name: round(float(value), 3) for name, value in metrics.items()}


def tune(
    maps: Any,
    truths: Any,
    presences: npt.ArrayLike | None = None,
    *,
    classes: Sequence[str] | None = None,
    visible: Any = None,
    settings: Tune | None = None,
) -> Tuning:
    """The rules with the best mean Dice: one pixel threshold, minimum area and presence threshold per class, and more.

    `maps` are N×C×H×W, levels (uint8) or probabilities (floats in [0, 1]); `truths` the masks, N×C×H×W; `presences`
    the classifier's scores, N×C in [0, 1] (None: the strongest pixels speak alone); `visible` N×H×W says which pixels
    were seen at all (None: all). Arrays and memory maps serve alike, and are read picture by picture. Or `maps` is a
    `ProbabilityStore` and `truths` the `Truth` that goes with it, which bring the rest.

    Every pixel threshold × minimum area × presence threshold is tried; which family of rules serves is decided by
    cross-fitting, and the middle of the plateau is chosen rather than its luckiest point. A class that is never true is
    never shown; one that is always true is tuned like the others. Wrong shapes, NaN and numbers outside [0, 1] are
    refused with the picture that holds them.

    >>> rng = np.random.default_rng(0)
    >>> truths = np.zeros((12, 1, 20, 20), bool)
    >>> truths[::2, :, 4:15, 4:15] = True
    >>> tuning = tune(0.6 * truths + 0.4 * rng.random(truths.shape), truths)
    >>> float(tuning.cross_fitted.mean())
    1.0
    """
    settings = settings or Tune()
    labelled = _judged(maps, truths, presences, classes, visible)
    constraints = constraints_of(settings, labelled.classes)
    evidence = gather(labelled)
    crossfitting = CrossFitting(evidence, settings, constraints, _areas(evidence, settings))
    return _tell(crossfitting, crossfitting.run())


def _with_chances(rules: Rules, evidence: Evidence) -> Rules:
    """The fused presence of two calibrated numbers is not calibrated itself: it keeps too much to the middle."""
    found = fit_calibrations(fuse(evidence.raw, rules), evidence.present)
    return rules.model_copy(update={"chance_calibrations": found})


def _judged(
    maps: Any, truths: Any, presences: npt.ArrayLike | None, classes: Sequence[str] | None, visible: Any
) -> LabelledImages:
    if not isinstance(maps, ProbabilityStore):
        return label_arrays(maps, truths, presences, classes=classes, visible=visible)
    if not isinstance(truths, Truth) or any(one is not None for one in (presences, classes, visible)):
        raise UserError("a ProbabilityStore goes with a Truth, and brings presences, classes and visible pixels itself")
    return LabelledSplit(maps, truths)


def _areas(evidence: Evidence, settings: Tune) -> npt.NDArray[np.int64]:
    if settings.min_areas != "every":
        return np.array(settings.min_areas, np.int64)
    return np.unique(np.concatenate([[0], *(one.spans[:, AREA] for one in evidence.of_class)])).astype(np.int64)


def _tell(crossfitting: CrossFitting, found: CrossFitted) -> Tuning:
    settings, grid = crossfitting.settings, crossfitting.grid(found.structure.family)
    evidence = crossfitting.following(found.structure.adaptive_power)
    bootstrap = Bootstrap(settings.bootstrap, settings.confidence, settings.seed)
    rules, choices = found.fit
    problems = pose(evidence, grid, rules, np.ones(len(evidence)), crossfitting.constraints)
    surfaces = Parallel(n_jobs=-1, prefer="threads")(
        delayed(map_surface)(of_class, grid.thinned(), problem)
        for of_class, problem in zip(evidence.of_class, problems, strict=True)
    )
    ends = threshold_ends(_resampled(crossfitting, evidence, rules, grid.thinned()), bootstrap)
    tuned = evidence.dices(rules)
    tables = {
        "estimates": estimate_table(tuned, found.dices, rules.classes, bootstrap),
        "optimum": optimum_table(evidence, rules, choices),
        "thresholds": threshold_table(rules, choices, ends),
        "trials": trial_table(found, bootstrap),
        "surface": surface_table(evidence, surfaces),
        "presence": presence_table(evidence, rules, bootstrap),
    }
    return Tuning(_with_chances(rules, evidence), tables, tuned, found.dices)


def _resampled(crossfitting: CrossFitting, evidence: Evidence, rules: Rules, grid: Grid) -> list[Rules]:
    """The rules that resampled pictures would have led to; their structure and calibrations stay."""
    settings = crossfitting.settings
    resamples = Bootstrap(settings.resamples, settings.confidence, settings.seed).weights(len(evidence))
    fitted, weights = [rules] * settings.resamples, list(resamples * len(evidence))
    fits = fit_rules(evidence, grid, fitted, weights, crossfitting.constraints, shrunk(settings))
    return [fit.rules for fit in fits]
