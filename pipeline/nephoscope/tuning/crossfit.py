"""Cross-fitting: rules are tuned on all folds but one and scored on that one, and their structure is decided by it.

An honest score of rules includes every decision on the way to them. So the structure is decided anew for every fold
that is left out, from rules tuned without a further one: pairs of folds are left out, and a pair serves both its folds.

The share of the classifier is the middle of its plateau. Pixel threshold, minimum area and presence threshold are the
usual family; following a picture's strongest pixels, another family, and forcing a picture's strongest class must be
ahead by more than noise to take over.
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
from nephoscope.tuning.constraints import Constraint, named_in
from nephoscope.tuning.evidence import Evidence
from nephoscope.tuning.families import FAMILIES, Grid
from nephoscope.tuning.fitting import Fit, fit_presence, fit_rules, pose
from nephoscope.tuning.plateau import NOISE, standard_errors

Floats = npt.NDArray[np.float64]
Held = frozenset[int]
"""Folds that rules are tuned without."""
ALL_COUNT: Held = frozenset()
FIXED_WEIGHTS = {"classifier": 1.0, "pixels": 0.0}
SEARCHED_WEIGHTS = tuple(tenth / 10 for tenth in range(11))
SEARCHED_FOLLOWING = (0.0, 0.5, 1.0, 2.0)
FEWEST_PER_FOLD = 2


class Structure(NamedTuple):
    """What is decided for all classes together, before any threshold."""

    classifier_weight: float = 0.5
    adaptive_power: float = 0.0
    family: FamilyName = "presence"
    force_top_class: bool = False


PARTS_OF_RULES = ("classifier_weight", "adaptive_power", "force_top_class")
"""of a structure that stand in the rules by the same name; the family shows in what each rule has"""


@dataclass(frozen=True)
class Trial:
    """What was tried for one part of the structure."""

    part: str
    values: tuple[Any, ...]
    dices: Floats
    """values×N×C: every picture by rules that were tuned without its fold"""
    chosen: int


@dataclass(frozen=True)
class CrossFitted:
    structure: Structure
    trials: tuple[Trial, ...]
    fit: Fit
    """to all pictures"""
    dices: Floats
    """N×C: every picture by rules for which it was neither tuned on nor decided on; NaN where there are too few"""


@dataclass
class CrossFitting:
    evidence: Evidence
    settings: Tune
    constraints: Sequence[Constraint | None]
    areas: npt.NDArray[np.int64]
    """minimum areas tried"""
    folds: npt.NDArray[np.int64] = field(init=False)
    """N: the fold of every picture"""
    _following: dict[float, Evidence] = field(init=False, default_factory=dict)
    _presences: dict[Held, Rules] = field(init=False, default_factory=dict)
    _rules: dict[tuple[Structure, Held], Rules] = field(init=False, default_factory=dict)
    _scored: dict[tuple[Structure, Held], Floats] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        dealt = np.arange(len(self.evidence)) % self.settings.folds
        self.folds = np.random.default_rng(self.settings.seed).permutation(dealt)

    def run(self) -> CrossFitted:
        possible = len(self.evidence) >= FEWEST_PER_FOLD * self.settings.folds
        singles = [Held({fold}) for fold in range(self.settings.folds)] if possible else []
        helds = [ALL_COUNT, *singles]
        structures, trials = self._decide(helds, possible)
        self._check_constraints(structures[0])
        fits = self._fit(list(zip(structures, helds, strict=True)), thinned=False)
        dices = np.full((len(self.evidence), len(self.evidence.classes)), np.nan)
        for held, fit in zip(singles, fits[1:], strict=True):
            rows = np.isin(self.folds, list(held))
            dices[rows] = self.following(fit.rules.adaptive_power).dices(fit.rules)[rows]
        return CrossFitted(structures[0], tuple(trials[0]), fits[0], dices)

    def _check_constraints(self, structure: Structure) -> None:
        rules, weight = self._presence(structure, ALL_COUNT), np.ones(len(self.evidence))
        for problem, present, objective in zip(
            pose(self.evidence, self.grid(structure.family), rules, weight, self.constraints),
            self.evidence.present.T,
            self.constraints,
            strict=True,
        ):
            # What is asked of every class does not mean one that is never there.
            if objective and (present.any() or objective.class_name in named_in(self.settings)):
                objective.check(problem.cuts, weight, present[problem.order])

    def following(self, power: float) -> Evidence:
        """Evidence for rules of this `adaptive_power`."""
        if power not in self._following:
            self._following[power] = self.evidence.following(power)
        return self._following[power]

    def grid(self, family: FamilyName) -> Grid:
        return FAMILIES[family](np.array(self.settings.pixel_thresholds), self.areas, self.settings)

    def _decide(self, outers: Sequence[Held], possible: bool) -> tuple[list[Structure], list[list[Trial]]]:
        """The structure decided without the folds of each outer set, and what was tried for it."""
        structures = [Structure() for _ in outers]
        trials: list[list[Trial]] = [[] for _ in outers]
        for part, (values, pick) in self._parts().items():
            if len(values) == 1 or not possible:
                structures = [one._replace(**{part: values[0]}) if len(values) == 1 else one for one in structures]
                continue
            tried = [[one._replace(**{part: value}) for value in values] for one in structures]
            self._prepare(zip(outers, tried, strict=True))
            for index, (outer, candidates) in enumerate(zip(outers, tried, strict=True)):
                dices = np.stack([self._out_of_fold(candidate, outer) for candidate in candidates])
                inside = ~np.isin(self.folds, list(outer))
                chosen = pick(dices[:, inside].mean(axis=2))
                structures[index] = candidates[chosen]
                trials[index].append(Trial(part, values, dices, chosen))
        return structures, trials

    def _parts(self) -> dict[str, tuple[tuple[Any, ...], Callable[[Floats], int]]]:
        """Of every part of a structure the values to try, and how one of them is picked."""
        settings, usual = self.settings, Structure()
        weights: tuple[float, ...] = (FIXED_WEIGHTS.get(settings.presence, usual.classifier_weight),)
        if settings.presence == "both":
            searched = settings.classifier_weight == "searched"
            weights = SEARCHED_WEIGHTS if searched else (float(settings.classifier_weight),)
        families = self._families()
        following = SEARCHED_FOLLOWING if settings.adaptive_power == "searched" else (settings.adaptive_power,)
        # A class forced present would break what a goal bounds.
        bound = any(self.constraints)
        forcing = (False, True) if settings.force_top_class == "searched" else (settings.force_top_class,)
        return {
            "classifier_weight": (weights, pick_middle),
            # Before the family: a high threshold makes up for some of what following does, and for less.
            "adaptive_power": (following, partial(pick_unless_beaten, 0)),
            "family": (families, partial(pick_unless_beaten, families.index(usual.family) if len(families) > 1 else 0)),
            "force_top_class": ((False,) if bound else forcing, partial(pick_unless_beaten, 0)),
        }

    def _families(self) -> tuple[FamilyName, ...]:
        families = tuple(FAMILIES) if self.settings.family == "searched" else (self.settings.family,)
        if not any(self.constraints):
            return families
        gated = tuple(family for family in families if self.grid(family).gated)
        if not gated:
            raise UserError(
                f"tune.family: {families[0]} has no presence threshold, so no goal can bound it; try presence"
            )
        return gated

    def _prepare(self, tried: Iterable[tuple[Held, Sequence[Structure]]]) -> None:
        """Fit in one go, family by family, all rules that will be asked for."""
        needed = {
            (one._replace(force_top_class=False), outer | {fold})
            for outer, structures in tried
            for one in structures
            for fold in range(self.settings.folds)
            if fold not in outer
        }
        missing = sorted(needed - self._rules.keys(), key=lambda pair: (pair[0], sorted(pair[1])))
        for pair, fit in zip(missing, self._fit(missing, thinned=True), strict=True):
            self._rules[pair] = fit.rules

    def _fit(self, pairs: Sequence[tuple[Structure, Held]], *, thinned: bool) -> list[Fit]:
        """Rules of each structure, tuned without the folds that are held out; in the order of the pairs."""
        fits: dict[tuple[Structure, Held], Fit] = {}
        for (family, power), group in groupby(sorted(pairs, key=_searched_together), _searched_together):
            members, grid = list(group), self.grid(family)
            found = fit_rules(
                self.following(power),
                grid.thinned() if thinned else grid,
                [self._presence(*pair) for pair in members],
                [(~np.isin(self.folds, list(held))).astype(float) for _, held in members],
                self.constraints,
                shrunk(self.settings),
            )
            fits |= zip(members, found, strict=True)
        return [fits[pair] for pair in pairs]

    def _presence(self, structure: Structure, held: Held) -> Rules:
        if held not in self._presences:
            counting = ~np.isin(self.folds, list(held))
            self._presences[held] = fit_presence(self.evidence, counting, calibrate=self.settings.calibrate)
        rules = self._presences[held]
        return rules.model_copy(update={part: getattr(structure, part) for part in PARTS_OF_RULES})

    def _out_of_fold(self, structure: Structure, outer: Held) -> Floats:
        """N×C; pictures of the outer folds stay NaN."""
        dices = np.full((len(self.evidence), len(self.evidence.classes)), np.nan)
        for fold in set(range(self.settings.folds)) - outer:
            rows = self.folds == fold
            dices[rows] = self._dices(structure, outer | {fold})[rows]
        return dices

    def _dices(self, structure: Structure, held: Held) -> Floats:
        """N×C"""
        if (structure, held) not in self._scored:
            rules = self._rules[structure._replace(force_top_class=False), held]
            forced = rules.model_copy(update={"force_top_class": structure.force_top_class})
            self._scored[structure, held] = self.following(structure.adaptive_power).dices(forced)
        return self._scored[structure, held]


def _searched_together(pair: tuple[Structure, Held]) -> tuple[FamilyName, float]:
    return pair[0].family, pair[0].adaptive_power


def shrunk(settings: Tune) -> float:
    """Only calibrated presences mean the same in every class."""
    return settings.shrinkage if settings.calibrate else 0.0


def pick_middle(scores: Floats) -> int:
    """Scores (values×pictures) of values in ascending order → the middle of the plateau around the best."""
    weight = np.exp(-(behind_best(scores) ** 2) / 2)
    return round(float(weight @ np.arange(len(scores)) / weight.sum()))


def pick_unless_beaten(incumbent: int, scores: Floats) -> int:
    """Scores (values×pictures) → the incumbent, or the best if that is ahead of it by more than noise."""
    return int(scores.mean(axis=1).argmax()) if behind_best(scores)[incumbent] > NOISE else incumbent


def behind_best(scores: Floats) -> Floats:
    """How far every value is behind the best, in standard errors of the paired difference."""
    difference = scores[scores.mean(axis=1).argmax()] - scores
    return standard_errors(difference.mean(axis=1), (difference**2).mean(axis=1), scores.shape[1])
