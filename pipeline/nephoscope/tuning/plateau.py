"""The choice of a rule: the middle of the plateau, i.e. of all rules that are as good as the best within noise.

The best rule of a grid owes part of its score to luck. So every rule gets the weight exp(-z²/2): z says how far it is
behind the best, in standard errors of the paired difference. The weighted mean of all rules is chosen. Areas are
averaged as square roots.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nephoscope.rules.rules import NEVER, Rule
from nephoscope.tuning.evidence import ClassEvidence
from nephoscope.tuning.families import Grid
from nephoscope.tuning.gains import tabulate
from nephoscope.tuning.search import Bools, Floats, Problem, find_cuts, sum_squared_differences

CELLS_OF_BLOCK = 2048
"""The gains of a thousand images in a block fit into the last cache."""
NOISE = 1.0
"""A rule at most this many standard errors behind the best counts as equally good."""
VALLEY = 2.0
"""A mean more than this many standard errors behind the best lies in a valley between two plateaus."""
PARTS = ("presence_threshold", "pixel_threshold", "min_area")
PRESENCE, PIXEL, AREA = range(3)


@dataclass(frozen=True)
class Choice:
    """The result of one search for one class."""

    best: Rule
    """The exact optimum of the grid; the first of equals"""
    best_gain: float
    """Its mean gain over empty masks, in Dice"""
    middle: Rule
    lowest: dict[str, float]
    """Part → its lowest value among the rules within noise"""
    highest: dict[str, float]
    share: float
    """Share of the grid that is within noise"""


@dataclass(frozen=True)
class Surface:
    """Mean gain over empty masks for T pixel thresholds × A minimum areas, at the best presence threshold of each."""

    pixel_thresholds: npt.NDArray[np.int64]
    min_areas: npt.NDArray[np.int64]
    gains: Floats
    within_noise: Bools


def choose(evidence: ClassEvidence, grid: Grid, problems: Sequence[Problem]) -> list[Choice]:
    """Search one grid for every problem. Two passes over blocks: memory does not grow with the grid."""
    peaks = [_Peak() for _ in problems]
    for index, block in _search_blocks(evidence, grid, problems):
        peaks[index].add(block)
    shown = [evidence.gains_of(peak.rule) for peak in peaks]
    references = [_gate(*arguments) for arguments in zip(problems, peaks, shown, strict=True)]
    plateaus = [_Plateau() for _ in problems]
    for index, block in _search_blocks(evidence, grid, problems):
        plateaus[index].add(block, block.errors_behind(peaks[index].total, references[index]))
    for arguments in zip(plateaus, problems, peaks, shown, strict=True):
        _widen(*arguments)
    return [
        _choose_one(evidence, grid, *arguments) for arguments in zip(problems, peaks, references, plateaus, strict=True)
    ]


def map_surface(evidence: ClassEvidence, grid: Grid, problem: Problem) -> Surface:
    """The gains of all cells from which the choice was made."""
    peak = _Peak()
    for _, block in _search_blocks(evidence, grid, [problem]):
        peak.add(block)
    reference = _gate(problem, peak, evidence.gains_of(peak.rule))
    shape = (len(grid.pixel_thresholds), len(grid.min_areas))
    gains, behind = np.empty(shape), np.empty(shape)
    for _, block in _search_blocks(evidence, grid, [problem]):
        columns = np.searchsorted(grid.min_areas, block.grid.min_areas)
        gains[:, columns] = block.total.reshape(shape[0], -1)
        behind[:, columns] = block.errors_behind(peak.total, reference).reshape(shape[0], -1)
    return Surface(grid.pixel_thresholds, grid.min_areas, gains / problem.weight.sum(), behind <= NOISE)


@dataclass(frozen=True)
class _SearchedBlock:
    """One problem, searched in one block of the grid."""

    problem: Problem
    grid: Grid
    gains: Floats
    """N×cells"""
    total: Floats
    """Per cell, at its best cut: the gain summed over images"""
    cut: npt.NDArray[np.int64]
    """Per cell: its best cut"""

    def errors_behind(self, best: float, reference: Floats) -> Floats:
        """How far every cell is behind the best (N gains and their sum), in standard errors of the difference."""
        problem, count = self.problem, self.problem.weight.sum()
        squares = sum_squared_differences(self.gains, problem.order, problem.weight, self.cut, reference)
        return standard_errors((best - self.total) / count, squares / count, count)

    def rule(self, cell: int) -> Rule:
        """The rule of a cell at its best cut."""
        pixel_threshold, min_area = self.grid.cells[:, cell]
        return _make_rule(self.problem.thresholds[self.cut[cell]], pixel_threshold, min_area)

    def parts(self) -> Floats:
        """3×cells: the parts of every cell's rule as numbers that can be averaged."""
        # No presence exceeds 1, so a higher threshold counts as 1.
        return np.vstack([np.minimum(self.problem.thresholds[self.cut], 1), self.grid.cells])


def _search_blocks(
    evidence: ClassEvidence, grid: Grid, problems: Sequence[Problem]
) -> Iterator[tuple[int, _SearchedBlock]]:
    """Index of a problem and one searched block of it, until all blocks of all problems are searched."""
    for block in grid.blocks(CELLS_OF_BLOCK):
        axes = (block.pixel_thresholds, block.min_areas)
        gains = tabulate(evidence.spans, evidence.starts, evidence.truth_area, *axes)
        for index, problem in enumerate(problems):
            total, cut = find_cuts(gains, problem.order, problem.weight, problem.allowed)
            yield index, _SearchedBlock(problem, block, gains, total, cut)


@dataclass
class _Peak:
    """The best rule so far."""

    total: float = -np.inf
    rule: Rule = field(default_factory=lambda: Rule(presence_threshold=NEVER, pixel_threshold=255, min_area=0))

    def add(self, block: _SearchedBlock) -> None:
        cell = int(block.total.argmax())
        if block.total[cell] > self.total:
            self.total, self.rule = float(block.total[cell]), block.rule(cell)


def _gate(problem: Problem, peak: _Peak, shown: Floats) -> Floats:
    """Gains of the best rule: `shown` (N) where presence reaches its threshold, otherwise 0."""
    return np.where(problem.presence >= peak.rule.presence_threshold, shown, 0.0)


@dataclass
class _Plateau:
    """Weighted sums over all rules, and the range of the rules within noise."""

    weight: float = 0.0
    sums: Floats = field(default_factory=lambda: np.zeros(len(PARTS)))
    lowest: Floats = field(default_factory=lambda: np.full(len(PARTS), np.inf))
    highest: Floats = field(default_factory=lambda: np.full(len(PARTS), -np.inf))
    within: int = 0
    cells: int = 0

    def add(self, block: _SearchedBlock, behind: Floats) -> None:
        parts, weight, within = block.parts(), np.exp(-(behind**2) / 2), behind <= NOISE
        self.cells += len(behind)
        self.within += int(within.sum())
        if within.any():
            self.lowest = np.minimum(self.lowest, parts[:, within].min(1))
            self.highest = np.maximum(self.highest, parts[:, within].max(1))
        parts[AREA] **= 0.5
        self.weight += float(weight.sum())
        self.sums += parts @ weight

    @property
    def mean(self) -> Floats:
        """The parts of the mean rule, not yet on the grid."""
        mean = self.sums / self.weight
        mean[AREA] **= 2
        return mean


def _widen(plateau: _Plateau, problem: Problem, peak: _Peak, shown: Floats) -> None:
    """Add the other presence thresholds with which the best rule is as good: cells know only their best cut."""
    gains, weight = shown[problem.order], problem.weight[problem.order]
    total, squares = (np.concatenate(([0.0], np.cumsum(weight * gains**power))) for power in (1, 2))
    best = int(np.flatnonzero(problem.thresholds == peak.rule.presence_threshold)[0])
    # Two cuts differ only in the images between them.
    behind, between = (total[best] - total) / weight.sum(), np.abs(squares - squares[best]) / weight.sum()
    within = problem.allowed & (standard_errors(behind, between, weight.sum()) <= NOISE)
    thresholds = np.minimum(problem.thresholds[within], 1)
    plateau.lowest[PRESENCE] = min(plateau.lowest[PRESENCE], thresholds.min())
    plateau.highest[PRESENCE] = max(plateau.highest[PRESENCE], thresholds.max())


def _choose_one(
    evidence: ClassEvidence, grid: Grid, problem: Problem, peak: _Peak, reference: Floats, plateau: _Plateau
) -> Choice:
    count, mean = problem.weight.sum(), plateau.mean
    rule = _make_rule(
        problem.nearest_allowed(mean[PRESENCE]),
        _nearest(grid.pixel_thresholds, mean[PIXEL]),
        _nearest(grid.min_areas, mean[AREA]),
    )
    gain = np.where(problem.presence >= rule.presence_threshold, evidence.gains_of(rule), 0.0)
    difference = problem.weight * (gain - reference)
    behind = standard_errors(-difference.sum() / count, difference @ (gain - reference) / count, count)
    chosen = rule if behind <= VALLEY else peak.rule
    lowest, highest = (dict(zip(PARTS, map(float, ends), strict=True)) for ends in (plateau.lowest, plateau.highest))
    return Choice(peak.rule, peak.total / count, chosen, lowest, highest, plateau.within / plateau.cells)


def standard_errors(mean_difference: npt.ArrayLike, mean_square: npt.ArrayLike, count: float) -> Floats:
    """Mean difference and mean squared difference → z; 0 where the difference is not positive."""
    mean = np.asarray(mean_difference, np.float64)
    error = np.sqrt(np.maximum(np.asarray(mean_square) - mean**2, 0) / count)
    return np.where(mean <= 0, 0.0, mean / np.maximum(error, 1e-12))


def _nearest(values: npt.NDArray[np.integer], value: float) -> int:
    return int(values[np.abs(values - value).argmin()])


def _make_rule(presence_threshold: float, pixel_threshold: int, min_area: int) -> Rule:
    return Rule(
        presence_threshold=float(presence_threshold), pixel_threshold=int(pixel_threshold), min_area=int(min_area)
    )
