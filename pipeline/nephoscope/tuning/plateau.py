"""The choice of a rule: the middle of the plateau of rules that are as good as the best, as far as noise can tell.

The best rule of a grid owes part of its score to luck. So every rule is weighed by how far it is behind the best in
standard errors of their paired difference, exp(-z²/2), and the weighted mean of all rules is chosen: areas are averaged
as the sides of squares, the rest as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nephoscope.rules.rules import NEVER, Rule
from nephoscope.tuning.evidence import ClassEvidence
from nephoscope.tuning.families import NO_HIGH_THRESHOLD, Core, Grid
from nephoscope.tuning.gains import tabulate
from nephoscope.tuning.search import Bools, Floats, Problem, find_cuts, spread

CELLS = 2048
"""of a block: what a thousand pictures gain in it stays within the last cache"""
NOISE = 1.0
"""Standard errors behind the best up to which a rule is called as good."""
HOLLOW = 2.0
"""Standard errors behind the best from which the middle of two plateaus is called a hollow between them."""
PARTS = ("presence_threshold", "pixel_threshold", "min_area", "high_threshold", "core_threshold", "core_area")
PRESENCE, PIXEL, AREA, HIGH, CORE, CORE_AREA = range(6)
AS_SIDES = [AREA, CORE_AREA]


@dataclass(frozen=True)
class Choice:
    """What one search found for one class."""

    best: Rule
    """the exact optimum of the grid; of equals the first"""
    best_gain: float
    """its mean gain over empty masks, in Dice"""
    middle: Rule
    lowest: dict[str, float]
    """of the rules within noise, part by part"""
    highest: dict[str, float]
    share: float
    """of the grid that is within noise"""


@dataclass(frozen=True)
class Surface:
    """Mean gain over empty masks for pixel thresholds × minimum areas (T×A), everything else at its best."""

    pixel_thresholds: npt.NDArray[np.int64]
    min_areas: npt.NDArray[np.int64]
    gains: Floats
    within_noise: Bools


def choose(evidence: ClassEvidence, grid: Grid, problems: Sequence[Problem]) -> list[Choice]:
    """Searches over one grid → a choice each. Two passes over blocks: memory does not grow with the grid."""
    peaks = [_Peak() for _ in problems]
    for which, found in _walk(evidence, grid, problems):
        peaks[which].see(found)
    shown = [evidence.shown_gains(peak.rule) for peak in peaks]
    references = [_gated(*each) for each in zip(problems, peaks, shown, strict=True)]
    middles = [_Middle() for _ in problems]
    for which, found in _walk(evidence, grid, problems):
        middles[which].see(found, found.behind(peaks[which].total, references[which]))
    for each in zip(middles, problems, peaks, shown, strict=True):
        _widen(*each)
    return [_settle(evidence, grid, *each) for each in zip(problems, peaks, references, middles, strict=True)]


def map_surface(evidence: ClassEvidence, grid: Grid, problem: Problem) -> Surface:
    """The landscape in which the choice was made."""
    peak = _Peak()
    for _, found in _walk(evidence, grid, [problem]):
        peak.see(found)
    reference = _gated(problem, peak, evidence.shown_gains(peak.rule))
    shape = (len(grid.pixel_thresholds), len(grid.min_areas))
    gains, behind = np.full(shape, -np.inf), np.full(shape, np.inf)
    for _, found in _walk(evidence, grid, [problem]):
        columns = np.searchsorted(grid.min_areas, found.grid.min_areas)
        of_cells = (shape[0], len(columns), -1)
        gain, z = found.total.reshape(of_cells).max(2), found.behind(peak.total, reference).reshape(of_cells).min(2)
        gains[:, columns] = np.maximum(gains[:, columns], gain)
        behind[:, columns] = np.minimum(behind[:, columns], z)
    return Surface(grid.pixel_thresholds, grid.min_areas, gains / problem.weight.sum(), behind <= NOISE)


@dataclass(frozen=True)
class _Found:
    """One problem searched in one block with one core."""

    problem: Problem
    grid: Grid
    core: Core
    passing: Bools
    """N: which pictures pass the core"""
    gains: Floats
    """N×cells"""
    total: Floats
    """of every cell at its best cut: gain summed over pictures"""
    cut: npt.NDArray[np.int64]

    def behind(self, best: float, reference: Floats) -> Floats:
        """How far every cell is behind the best (N gains, and their sum), in standard errors of the difference."""
        problem, count = self.problem, self.problem.weight.sum()
        squares = spread(self.gains, problem.order, problem.weight, self.passing, self.cut, reference)
        return standard_errors((best - self.total) / count, squares / count, count)

    def rule(self, cell: int) -> Rule:
        """The rule that a cell stands for, at its best cut."""
        return _rule([self.problem.thresholds[self.cut[cell]], *self.grid.cells[:, cell], *self.core])

    def parts(self) -> Floats:
        """6×cells: the parts of every cell's rule, as numbers that may be averaged."""
        parts = np.empty((len(PARTS), len(self.cut)))
        parts[PRESENCE] = np.minimum(self.problem.thresholds[self.cut], 1)  # no presence exceeds 1
        parts[PIXEL : HIGH + 1] = self.grid.cells
        parts[HIGH] = np.maximum(parts[HIGH], parts[PIXEL])  # below the pixel threshold it changes nothing
        parts[CORE], parts[CORE_AREA] = self.core
        return parts


def _walk(evidence: ClassEvidence, grid: Grid, problems: Sequence[Problem]) -> Iterator[tuple[int, _Found]]:
    passing = {core: evidence.reach[:, core.threshold] >= core.area for core in grid.cores}
    for block in grid.blocks(CELLS):
        axes = (block.pixel_thresholds, block.min_areas, block.high_thresholds)
        gains = tabulate(evidence.spans, evidence.starts, evidence.truth_area, *axes)
        for which, problem in enumerate(problems):
            for core in grid.cores:
                weight = problem.weight * passing[core]
                total, cut = find_cuts(gains, problem.order, weight, problem.allowed)
                yield which, _Found(problem, block, core, passing[core], gains, total, cut)


@dataclass
class _Peak:
    total: float = -np.inf
    rule: Rule = field(default_factory=lambda: Rule(presence_threshold=NEVER, pixel_threshold=255, min_area=0))

    def see(self, found: _Found) -> None:
        cell = int(found.total.argmax())
        if found.total[cell] > self.total:
            self.total, self.rule = float(found.total[cell]), found.rule(cell)


def _gated(problem: Problem, peak: _Peak, shown: Floats) -> Floats:
    """What the best rule gains on every picture (N), from what it gains where it is shown."""
    return np.where(problem.presence >= peak.rule.presence_threshold, shown, 0.0)


@dataclass
class _Middle:
    weight: float = 0.0
    sums: Floats = field(default_factory=lambda: np.zeros(len(PARTS)))
    lowest: Floats = field(default_factory=lambda: np.full(len(PARTS), np.inf))
    highest: Floats = field(default_factory=lambda: np.full(len(PARTS), -np.inf))
    within: int = 0
    cells: int = 0

    def see(self, found: _Found, behind: Floats) -> None:
        parts, weight, within = found.parts(), np.exp(-(behind**2) / 2), behind <= NOISE
        self.cells += len(behind)
        self.within += int(within.sum())
        if within.any():
            self.lowest = np.minimum(self.lowest, parts[:, within].min(1))
            self.highest = np.maximum(self.highest, parts[:, within].max(1))
        parts[AS_SIDES] **= 0.5
        self.weight += float(weight.sum())
        self.sums += parts @ weight

    @property
    def parts(self) -> Floats:
        mean = self.sums / self.weight
        mean[AS_SIDES] **= 2
        return mean


def _widen(middle: _Middle, problem: Problem, peak: _Peak, shown: Floats) -> None:
    """Cells know their best cut only: add the other presence thresholds with which the best rule is as good."""
    gains, weight = shown[problem.order], problem.weight[problem.order]
    total, squares = (np.concatenate(([0.0], np.cumsum(weight * gains**power))) for power in (1, 2))
    best = int(np.flatnonzero(problem.thresholds == peak.rule.presence_threshold)[0])
    # Two cuts differ in the pictures between them alone.
    behind, between = (total[best] - total) / weight.sum(), np.abs(squares - squares[best]) / weight.sum()
    within = problem.allowed & (standard_errors(behind, between, weight.sum()) <= NOISE)
    thresholds = np.minimum(problem.thresholds[within], 1)
    middle.lowest[PRESENCE] = min(middle.lowest[PRESENCE], thresholds.min())
    middle.highest[PRESENCE] = max(middle.highest[PRESENCE], thresholds.max())


def _settle(
    evidence: ClassEvidence, grid: Grid, problem: Problem, peak: _Peak, reference: Floats, middle: _Middle
) -> Choice:
    count = problem.weight.sum()
    parts = middle.parts
    rule = _on_grid(parts, grid).model_copy(update={"presence_threshold": problem.nearest_allowed(parts[PRESENCE])})
    gain = np.where(problem.presence >= rule.presence_threshold, evidence.shown_gains(rule), 0.0)
    difference = problem.weight * (gain - reference)
    behind = standard_errors(-difference.sum() / count, difference @ (gain - reference) / count, count)
    # Two plateaus may lie apart with a hollow between them; then the best itself is chosen.
    chosen = rule if behind <= HOLLOW else peak.rule
    lowest, highest = (dict(zip(PARTS, map(float, values), strict=True)) for values in (middle.lowest, middle.highest))
    return Choice(peak.rule, peak.total / count, chosen, lowest, highest, middle.within / middle.cells)


def standard_errors(behind: npt.ArrayLike, mean_square: npt.ArrayLike, count: float) -> Floats:
    """Mean difference and mean squared difference → z; 0 where there is no difference."""
    mean = np.asarray(behind, np.float64)
    error = np.sqrt(np.maximum(np.asarray(mean_square) - mean**2, 0) / count)
    return np.where(mean <= 0, 0.0, mean / np.maximum(error, 1e-12))


def _on_grid(parts: Floats, grid: Grid) -> Rule:
    """The nearest rule whose pixel threshold, areas, high threshold and core stand in the grid."""
    pixel = _nearest(grid.pixel_thresholds, parts[PIXEL])
    high = _nearest(grid.high_thresholds, parts[HIGH])
    cores = np.array(grid.cores)
    core, core_area = _nearest(cores[:, 0], parts[CORE]), _nearest(cores[:, 1], parts[CORE_AREA])
    return _rule([parts[PRESENCE], pixel, _nearest(grid.min_areas, parts[AREA]), high, core, core_area])


def _nearest(values: npt.NDArray[np.number], value: float) -> float:
    return float(values[np.abs(values - value).argmin()])


def _rule(parts: Sequence[float]) -> Rule:
    core_area = int(parts[CORE_AREA])
    return Rule(
        presence_threshold=float(parts[PRESENCE]),
        pixel_threshold=int(parts[PIXEL]),
        min_area=int(parts[AREA]),
        high_threshold=None if parts[HIGH] == NO_HIGH_THRESHOLD or parts[HIGH] <= parts[PIXEL] else int(parts[HIGH]),
        core_threshold=int(parts[CORE]) if core_area else None,
        core_area=core_area,
    )
