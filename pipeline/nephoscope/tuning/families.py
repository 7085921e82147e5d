"""Families of rules, the simplest first, and the grid that is searched for each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from nephoscope.settings.tuning import FamilyName

Ints = npt.NDArray[np.int64]
NO_MIN_AREA = np.zeros(1, np.int64)
CELLS_TO_COMPARE = (51, 31)
"""Pixel thresholds and areas in a thinned grid."""


@dataclass(frozen=True)
class Grid:
    """Every pixel threshold with every minimum area, both ascending: one cell each."""

    pixel_thresholds: Ints
    min_areas: Ints
    gated: bool
    """True: presence thresholds are searched too."""

    def blocks(self, cell_count: int) -> Iterator["Grid"]:
        """The same grid in parts of about `cell_count` cells, areas ascending."""
        step = max(1, cell_count // len(self.pixel_thresholds))
        for begin in range(0, len(self.min_areas), step):
            yield replace(self, min_areas=self.min_areas[begin : begin + step])

    @cached_property
    def cells(self) -> Ints:
        """Pixel threshold and minimum area of every cell: 2×cells."""
        axes = np.meshgrid(self.pixel_thresholds, self.min_areas, indexing="ij")
        return np.stack([axis.ravel() for axis in axes])

    def thinned(self) -> Self:
        """About a twentieth of the cells: enough to compare families and structures."""
        threshold_count, area_count = CELLS_TO_COMPARE
        return replace(
            self,
            pixel_thresholds=_thin(self.pixel_thresholds, threshold_count),
            min_areas=_thin(self.min_areas, area_count),
        )


def _thin(values: Ints, count: int) -> Ints:
    """At most `count` of the values, evenly spread, with the first and the last."""
    if len(values) <= count:
        return values
    return np.asarray(values[np.linspace(0, len(values) - 1, count).round().astype(int)])


FAMILIES: tuple[FamilyName, ...] = ("pixel", "area", "presence")


def make_grid(family: FamilyName, pixel_thresholds: npt.ArrayLike, min_areas: npt.ArrayLike) -> Grid:
    """The grid of a family. `pixel` ignores the areas; only `presence` has presence thresholds."""
    areas = NO_MIN_AREA if family == "pixel" else np.asarray(min_areas, np.int64)
    return Grid(np.asarray(pixel_thresholds, np.int64), areas, gated=family == "presence")
