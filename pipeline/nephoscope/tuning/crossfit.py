"""Cross-fitting: rules are tuned without one fold and scored on it. It also decides the structure of the rules.

An honest score of rules must include every decision that led to them. So the structure is decided separately for every
left-out fold, by rules that were tuned without a second fold too. Every pair of folds serves both of its folds.

The share of the classifier is the middle of its plateau. Other values replace a default only if they are ahead of it by
more than noise: the family `presence`, fixed thresholds, and no forced class.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.rules.rules import Rules
from nephoscope.settings.tuning import FamilyName, Tune
from nephoscope.tuning.constraints import Constraint, classes_with_bounds
from nephoscope.tuning.evidence import Evidence
from nephoscope.tuning.families import FAMILIES, Grid, make_grid
from nephoscope.tuning.fitting import Fit, fit_presence, fit_rules, pose_problems
from nephoscope.tuning.plateau import NOISE, standard_errors

Floats = npt.NDArray[np.float64]
LeftOut = frozenset[int]
"""Folds that rules are tuned without."""
NOTHING: LeftOut = frozenset()
FIXED_WEIGHTS = {"classifier": 1.0, "pixels": 0.0}
SEARCHED_WEIGHTS = tuple(tenth / 10 for tenth in range(11))
SEARCHED_POWERS = (0.0, 0.5, 1.0, 2.0)
MIN_GROUPS_PER_FOLD = 2


class Structure(NamedTuple):
    """Decisions for all classes together, made before any threshold is searched."""

    classifier_weight: float = 0.5
    adaptive_power: float = 0.0
    family: FamilyName = "presence"
    force_top_class: bool = False


PARTS_OF_RULES = ("classifier_weight", "adaptive_power", "force_top_class")
"""Parts of a structure that `Rules` has under the same name. The family only decides which parts are searched."""


@dataclass(frozen=True)
class Trial:
    """The values tried for one part of the structure."""

    part: str
    values: tuple[Any, ...]
    dices: Floats
    """values×N×C: every image scored by rules that were tuned without its fold"""
    chosen: int


@dataclass(frozen=True)
class CrossFitted:
    structure: Structure
    trials: tuple[Trial, ...]
    fit: Fit
    """The fit to all images"""
    dices: Floats
    """N×C: every image scored by rules that were tuned and decided without it; NaN if there are too few images"""
    fold_rules: tuple[Rules, ...]
    """The rules behind `dices`, one per fold; none if there are too few images"""


@dataclass
class CrossFitting:
    evidence: Evidence
    settings: Tune
    constraints: Sequence[Constraint | None]
    """One per class"""
    areas: npt.NDArray[np.int64]
    """Minimum areas to try"""
    folds: npt.NDArray[np.int64] = field(init=False)
    """N: the fold of every image"""
    group_count: int = field(init=False)
    _adapted: dict[float, Evidence] = field(init=False, default_factory=dict)
    _presences: dict[LeftOut, Rules] = field(init=False, default_factory=dict)
    _rules: dict[tuple[Structure, LeftOut], Rules] = field(init=False, default_factory=dict)
    _scored: dict[tuple[Structure, LeftOut], Floats] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # Near duplicates share a fold: otherwise rules would be scored on images that they were tuned on.
        self.group_count = int(self.evidence.groups.max()) + 1
        in_turn = np.arange(self.group_count) % self.settings.folds
        self.folds = np.random.default_rng(self.settings.seed).permutation(in_turn)[self.evidence.groups]

    def run(self) -> CrossFitted:
        enough = self.group_count >= MIN_GROUPS_PER_FOLD * self.settings.folds
        single_folds = [LeftOut({fold}) for fold in range(self.settings.folds)] if enough else []
        left_out = [NOTHING, *single_folds]
        structures, trials = self._decide(left_out, enough)
        self._check_constraints(structures[0])
        fits = self._fit(list(zip(structures, left_out, strict=True)), thinned=False)
        dices = self._unscored()
        for folds, fit in zip(single_folds, fits[1:], strict=True):
            rows = self._rows(folds)
            dices[rows] = self.adapted(fit.rules.adaptive_power).dices(fit.rules)[rows]
        return CrossFitted(structures[0], tuple(trials[0]), fits[0], dices, tuple(fit.rules for fit in fits[1:]))

    def adapted(self, power: float) -> Evidence:
        """The evidence for rules with this `adaptive_power`."""
        if power not in self._adapted:
            self._adapted[power] = self.evidence.adapted(power)
        return self._adapted[power]

    def grid(self, family: FamilyName) -> Grid:
        return make_grid(family, self.settings.pixel_thresholds, self.areas)

    def _unscored(self) -> Floats:
        return np.full((len(self.evidence), len(self.evidence.classes)), np.nan)

    def _rows(self, folds: LeftOut) -> npt.NDArray[np.bool_]:
        return np.isin(self.folds, list(folds))

    def _check_constraints(self, structure: Structure) -> None:
        rules, weight = self._presence(structure, NOTHING), np.ones(len(self.evidence))
        problems = pose_problems(self.evidence, self.grid(structure.family), rules, weight, self.constraints)
        named = classes_with_bounds(self.settings)
        for problem, present, constraint in zip(problems, self.evidence.present.T, self.constraints, strict=True):
            # A bound for `every` class skips classes that are never present; a bound by name does not.
            if constraint and (present.any() or constraint.class_name in named):
                constraint.check(problem.cuts, weight, present[problem.order])

    def _decide(self, outers: Sequence[LeftOut], enough: bool) -> tuple[list[Structure], list[list[Trial]]]:
        """For every outer set of folds: the structure decided without these folds, and the trials behind it."""
        structures = [Structure() for _ in outers]
        trials: list[list[Trial]] = [[] for _ in outers]
        for part, (values, pick) in self._parts().items():
            if len(values) == 1:
                structures = [structure._replace(**{part: values[0]}) for structure in structures]
            elif enough:
                candidates = [[structure._replace(**{part: value}) for value in values] for structure in structures]
                self._prepare(zip(outers, candidates, strict=True))
                for index, (outer, tried) in enumerate(zip(outers, candidates, strict=True)):
                    dices = np.stack([self._out_of_fold(structure, outer) for structure in tried])
                    chosen = pick(dices[:, ~self._rows(outer)].mean(axis=2))
                    structures[index] = tried[chosen]
                    trials[index].append(Trial(part, values, dices, chosen))
        return structures, trials

    def _parts(self) -> dict[str, tuple[tuple[Any, ...], Callable[[Floats], int]]]:
        """Part of the structure → the values to try, and the function that picks one of them."""
        settings, families = self.settings, self._families()
        powers = SEARCHED_POWERS if settings.adaptive_power == "searched" else (settings.adaptive_power,)
        forcing = (False, True) if settings.force_top_class == "searched" else (settings.force_top_class,)
        # A forced class would break its constraint.
        forcing = (False,) if any(self.constraints) else forcing
        default_family = families.index(Structure().family) if len(families) > 1 else 0
        return {
            "classifier_weight": (self._weights(), pick_middle),
            "adaptive_power": (powers, partial(pick_unless_beaten, 0)),
            "family": (families, partial(pick_unless_beaten, default_family)),
            "force_top_class": (forcing, partial(pick_unless_beaten, 0)),
        }

    def _weights(self) -> tuple[float, ...]:
        if self.settings.presence != "both":
            return (FIXED_WEIGHTS[self.settings.presence],)
        weight = self.settings.classifier_weight
        return SEARCHED_WEIGHTS if weight == "searched" else (float(weight),)

    def _families(self) -> tuple[FamilyName, ...]:
        families = FAMILIES if self.settings.family == "searched" else (self.settings.family,)
        if not any(self.constraints):
            return families
        gated = tuple(family for family in families if self.grid(family).gated)
        if not gated:
            raise UserError(
                f"tune.family: {families[0]} has no presence threshold, so no goal can bound it; try presence"
            )
        return gated

    def _prepare(self, tried: Iterable[tuple[LeftOut, Sequence[Structure]]]) -> None:
        """Fit all rules that the trials need, those with the same grid together."""
        needed = {
            (structure._replace(force_top_class=False), outer | {fold})
            for outer, structures in tried
            for structure in structures
            for fold in range(self.settings.folds)
            if fold not in outer
        }
        missing = sorted(needed - self._rules.keys(), key=lambda key: (key[0], sorted(key[1])))
        for key, fit in zip(missing, self._fit(missing, thinned=True), strict=True):
            self._rules[key] = fit.rules

    def _fit(self, keys: Sequence[tuple[Structure, LeftOut]], *, thinned: bool) -> list[Fit]:
        """Per structure and left-out folds, in their order: the rules tuned on the other folds."""
        fits: dict[tuple[Structure, LeftOut], Fit] = {}
        for (family, power), group in groupby(sorted(keys, key=_searched_together), _searched_together):
            group_keys, grid = list(group), self.grid(family)
            group_fits = fit_rules(
                self.adapted(power),
                grid.thinned() if thinned else grid,
                [self._presence(*key) for key in group_keys],
                [(~self._rows(left_out)).astype(float) for _, left_out in group_keys],
                self.constraints,
                effective_shrinkage(self.settings),
            )
            fits |= zip(group_keys, group_fits, strict=True)
        return [fits[key] for key in keys]

    def _presence(self, structure: Structure, left_out: LeftOut) -> Rules:
        """Rules with calibrated presence, fitted without the left-out folds; their thresholds are not tuned yet."""
        if left_out not in self._presences:
            counted = ~self._rows(left_out)
            self._presences[left_out] = fit_presence(self.evidence, counted, calibrate=self.settings.calibrate)
        rules = self._presences[left_out]
        return rules.model_copy(update={part: getattr(structure, part) for part in PARTS_OF_RULES})

    def _out_of_fold(self, structure: Structure, outer: LeftOut) -> Floats:
        """N×C; NaN for images of the outer folds."""
        dices = self._unscored()
        for fold in set(range(self.settings.folds)) - outer:
            rows = self.folds == fold
            dices[rows] = self._dices(structure, outer | {fold})[rows]
        return dices

    def _dices(self, structure: Structure, left_out: LeftOut) -> Floats:
        """N×C"""
        if (structure, left_out) not in self._scored:
            rules = self._rules[structure._replace(force_top_class=False), left_out]
            forced = rules.model_copy(update={"force_top_class": structure.force_top_class})
            self._scored[structure, left_out] = self.adapted(structure.adaptive_power).dices(forced)
        return self._scored[structure, left_out]


def _searched_together(key: tuple[Structure, LeftOut]) -> tuple[FamilyName, float]:
    return key[0].family, key[0].adaptive_power


def effective_shrinkage(settings: Tune) -> float:
    """0 without calibration: only calibrated presences mean the same in every class."""
    return settings.shrinkage if settings.calibrate else 0.0


def pick_middle(scores: Floats) -> int:
    """Scores (values×images), values ascending → the middle of the plateau around the best value."""
    weight = np.exp(-(errors_behind_best(scores) ** 2) / 2)
    return round(float(weight @ np.arange(len(scores)) / weight.sum()))


def pick_unless_beaten(default: int, scores: Floats) -> int:
    """Scores (values×images) → the default, or the best value if it is ahead by more than noise."""
    return int(scores.mean(axis=1).argmax()) if errors_behind_best(scores)[default] > NOISE else default


def errors_behind_best(scores: Floats) -> Floats:
    """How far every value is behind the best, in standard errors of the paired difference."""
    difference = scores[scores.mean(axis=1).argmax()] - scores
    return standard_errors(difference.mean(axis=1), (difference**2).mean(axis=1), scores.shape[1])
