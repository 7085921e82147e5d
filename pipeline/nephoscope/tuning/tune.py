"""The entry point of tuning: maps, truths and presences in; rules with honest estimates of their Dice out."""

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
from nephoscope.tuning.crossfit import CrossFitted, CrossFitting, effective_shrinkage
from nephoscope.tuning.evidence import Evidence, gather
from nephoscope.tuning.families import Grid
from nephoscope.tuning.fitting import fit_rules, pose_problems
from nephoscope.tuning.plateau import Surface, map_surface
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


@dataclass(frozen=True, repr=False)
class Tuning:
    """Tuned rules and how good they are."""

    rules: Rules
    tuned: Floats
    """N×C: Dice of the rules on the images they were tuned on; optimistic"""
    cross_fitted: Floats
    """N×C: Dice by rules that were tuned without the image; NaN if there are too few images"""
    folds: npt.NDArray[np.int64]
    """N: the fold of every image"""
    fold_rules: tuple[Rules, ...]
    """Per fold: rules tuned without its images; none if there are too few images"""
    tables: dict[str, pd.DataFrame]
    """estimates, optimum, thresholds, trials, surface, presence: see `nephoscope.tuning.tables`"""

    def __repr__(self) -> str:
        """The cross-fitted Dice; the arrays would fill the screen."""
        metrics = self.metrics()
        interval = f"[{metrics['low']:.3f}, {metrics['high']:.3f}]"
        return (
            f"<nephoscope.Tuning of {', '.join(self.rules.classes)} on {len(self.tuned)} images: "
            f"cross-fitted Dice {metrics['dice']:.3f} {interval}>"
        )

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
    groups: Sequence[Any] | npt.NDArray[Any] | None = None,
    settings: Tune | None = None,
    progress: bool = False,
) -> Tuning:
    """Find the rules with the best mean Dice: presence threshold, pixel threshold and minimum area per class.

    The search is exact: it tries every combination. Of all rules that are as good as the best within noise, it chooses
    the middle. Cross-fitting decides the rest, e.g. the share of the classifier in presence.

    maps: N×C×H×W, levels (uint8, 0 to 255) or probabilities (floats, 0 to 1)
    truths: N×C×H×W, masks (bool, or 0 and 1)
    presences: N×C, scores of a classifier (0 to 1). Default: the mean of the most probable pixels
    classes: C names; default: "class 0", "class 1", …
    visible: N×H×W, pixels with data (bool); default: all
    groups: N, any labels; images with the same label depend on each other (near duplicates, one orbit), so they are
        left out and resampled together; default: every image is its own group
    settings: section `tune` of params.yaml; default: `Tune()`
    progress: show a progress bar

    Arrays are read one image at a time, so they may be memory maps. A finished run can be tuned as well: then `maps` is
    its `ProbabilityStore` and `truths` its `Truth`, and the store brings presences, classes and visible pixels. It does
    not bring groups: pass those of the manifest.

    >>> rng = np.random.default_rng(0)
    >>> truths = np.zeros((12, 1, 20, 20), bool)
    >>> truths[::2, :, 4:15, 4:15] = True
    >>> maps = 0.6 * truths + 0.4 * rng.random(truths.shape)
    >>> tuning = tune(maps, truths)
    >>> float(tuning.cross_fitted.mean())
    1.0
    >>> from nephoscope.rules.decide import apply_rules
    >>> bool((apply_rules(tuning.rules, maps) == truths).all())
    True
    """
    if isinstance(maps, ProbabilityStore):
        if not isinstance(truths, Truth) or any(given is not None for given in (presences, classes, visible)):
            raise UserError(
                "maps is a ProbabilityStore: expected a Truth as truths, and no presences, classes or visible; "
                "the store has its own"
            )
        return tune_images(LabelledSplit(maps, truths, groups), settings, progress=progress)
    labelled = label_arrays(maps, truths, presences, classes=classes, visible=visible, groups=groups)
    return tune_images(labelled, settings, progress=progress)


def tune_images(labelled: LabelledImages, settings: Tune | None = None, *, progress: bool = False) -> Tuning:
    """`tune` on labelled images, whether they come from arrays or from the files of a run."""
    settings = settings or Tune()
    constraints = constraints_of(settings, labelled.classes)
    evidence = gather(labelled, progress=progress)
    crossfitting = CrossFitting(evidence, settings, constraints, _min_areas(evidence, settings))
    return _summarise(crossfitting, crossfitting.run())


def _min_areas(evidence: Evidence, settings: Tune) -> npt.NDArray[np.int64]:
    if settings.min_areas != "every":
        return np.array(settings.min_areas, np.int64)
    areas = [class_evidence.spans[:, AREA] for class_evidence in evidence.of_class]
    return np.unique(np.concatenate([[0], *areas])).astype(np.int64)


def _summarise(crossfitting: CrossFitting, cross_fitted: CrossFitted) -> Tuning:
    settings, grid = crossfitting.settings, crossfitting.grid(cross_fitted.structure.family)
    evidence = crossfitting.adapted(cross_fitted.structure.adaptive_power)
    bootstrap = Bootstrap(settings.bootstrap, settings.confidence, settings.seed, evidence.groups)
    rules, choices = cross_fitted.fit
    ends = threshold_ends(_resample(crossfitting, evidence, rules, grid.thinned()), bootstrap)
    tuned = evidence.dices(rules)
    tables = {
        "estimates": estimate_table(tuned, cross_fitted.dices, rules.classes, bootstrap),
        "optimum": optimum_table(evidence, rules, choices),
        "thresholds": threshold_table(rules, choices, ends),
        "trials": trial_table(cross_fitted, bootstrap),
        "surface": surface_table(evidence, _map_surfaces(crossfitting, evidence, rules, grid.thinned())),
        "presence": presence_table(evidence, rules, bootstrap),
    }
    folds, everything = crossfitting.folds, np.ones(len(evidence), bool)
    fold_rules = tuple(
        _calibrate_presence(part, evidence, folds != fold) for fold, part in enumerate(cross_fitted.fold_rules)
    )
    rules = _calibrate_presence(rules, evidence, everything)
    return Tuning(rules, tuned, cross_fitted.dices, folds, fold_rules, tables)


def _map_surfaces(crossfitting: CrossFitting, evidence: Evidence, rules: Rules, grid: Grid) -> list[Surface]:
    """One surface per class."""
    problems = pose_problems(evidence, grid, rules, np.ones(len(evidence)), crossfitting.constraints)
    surfaces: list[Surface] = Parallel(n_jobs=-1, prefer="threads")(
        delayed(map_surface)(class_evidence, grid, problem)
        for class_evidence, problem in zip(evidence.of_class, problems, strict=True)
    )
    return surfaces


def _resample(crossfitting: CrossFitting, evidence: Evidence, rules: Rules, grid: Grid) -> list[Rules]:
    """The rules tuned on resampled images, with the same structure and calibrations."""
    settings, constraints = crossfitting.settings, crossfitting.constraints
    bootstrap = Bootstrap(settings.resamples, settings.confidence, settings.seed, evidence.groups)
    weights = bootstrap.weights(len(evidence)) * len(evidence)
    fits = fit_rules(evidence, grid, [rules] * len(weights), list(weights), constraints, effective_shrinkage(settings))
    return [fit.rules for fit in fits]


def _calibrate_presence(rules: Rules, evidence: Evidence, counted: npt.NDArray[np.bool_]) -> Rules:
    """Add the calibration of the fused presence: a mean of two calibrated numbers is too close to the base rate."""
    calibrations = fit_calibrations(fuse(evidence.raw, rules)[counted], evidence.present[counted])
    return rules.model_copy(update={"presence_calibrations": calibrations})
