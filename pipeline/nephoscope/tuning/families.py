"""Families of rules, the simplest first, and the grid in which each is searched."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.settings.tuning import FamilyName, Tune

Ints = npt.NDArray[np.int64]


class Core(NamedTuple):
    """A picture passes if at least so many of its pixels reach the threshold; an area of 0 asks nothing."""

    threshold: int
    area: int


NO_CORE = Core(0, 0)
NO_HIGH_THRESHOLD = 0
CELLS_TO_COMPARE = (51, 31)
"""Pixel thresholds and areas in a thinned grid."""


@dataclass(frozen=True)
class Grid:
    """Every cell (pixel threshold × minimum area × high threshold, each ascending) is tried with every core."""

    pixel_thresholds: Ints
    min_areas: Ints
    gated: bool
    """whether presence thresholds are searched too"""
    high_thresholds: Ints
    cores: tuple[Core, ...] = (NO_CORE,)

    def blocks(self, cells: int) -> Iterator["Grid"]:
        """The same grid in parts of about so many cells, areas ascending."""
        step = max(1, cells // (len(self.pixel_thresholds) * len(self.high_thresholds)))
        for begin in range(0, len(self.min_areas), step):
            yield replace(self, min_areas=self.min_areas[begin : begin + step])

    @cached_property
    def cells(self) -> Ints:
        """Pixel threshold, minimum area and high threshold of every cell: 3×cells."""
        axes = np.meshgrid(self.pixel_thresholds, self.min_areas, self.high_thresholds, indexing="ij")
        return np.stack([axis.ravel() for axis in axes])

    def thinned(self) -> "Grid":
        """About a twentieth of the cells: enough to weigh one kind of rule against another."""
        thresholds, areas = CELLS_TO_COMPARE
        return replace(
            self,
            pixel_thresholds=_thin(self.pixel_thresholds, thresholds),
            min_areas=_thin(self.min_areas, areas),
        )


def _thin(values: Ints, count: int) -> Ints:
    """At most so many of the values, evenly spread, the first and the last among them."""
    if len(values) <= count:
        return values
    return np.asarray(values[np.linspace(0, len(values) - 1, count).round().astype(int)])


def _pixel(thresholds: Ints, _: Ints, __: Tune) -> Grid:
    return Grid(thresholds, np.zeros(1, np.int64), False, np.array([NO_HIGH_THRESHOLD]))


def _area(thresholds: Ints, areas: Ints, _: Tune) -> Grid:
    return Grid(thresholds, areas, False, np.array([NO_HIGH_THRESHOLD]))


def _presence(thresholds: Ints, areas: Ints, _: Tune) -> Grid:
    return Grid(thresholds, areas, True, np.array([NO_HIGH_THRESHOLD]))


def _hysteresis(thresholds: Ints, areas: Ints, settings: Tune) -> Grid:
    high_thresholds = np.array([NO_HIGH_THRESHOLD, *settings.high_thresholds])
    return replace(_presence(thresholds, areas, settings).thinned(), high_thresholds=high_thresholds)


def _core(thresholds: Ints, areas: Ints, settings: Tune) -> Grid:
    cores = tuple(Core(*one) for one in product(settings.core_thresholds, (0, *settings.core_areas)))
    return replace(_presence(thresholds, areas, settings).thinned(), cores=cores)


FAMILIES: dict[FamilyName, Callable[[Ints, Ints, Tune], Grid]] = {
    "pixel": _pixel,
    "area": _area,
    "presence": _presence,
    "hysteresis": _hysteresis,
    "core": _core,
}
"""Pixel thresholds, minimum areas and settings → the grid of a family."""
