"""Cells of equal degrees, and the share of each cell that a map covers. Arrays only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError

Floats = npt.NDArray[np.float64]
Band = Callable[[slice], tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]]
"""Rows of a map → values (C×h×W, NaN where nothing was seen) and land (h×W), or None if land is not known."""
BAND_VALUES = 1 << 24
"""Values that are read at once: 64 MB."""


@dataclass(frozen=True)
class Axes:
    """The edges of a map's rows and columns in degrees, N×2 (low, high). Longitudes rise; they may exceed 180."""

    latitude: Floats
    longitude: Floats


@dataclass(frozen=True)
class Cells:
    """A window of the global grid whose cells begin at 180° W and 90° S. Rows run from north to south."""

    size: float
    """Degrees."""
    first_row: int
    """0 is the northernmost row of the Earth."""
    row_count: int
    first_column: int
    """0 begins at 180° W; a window across the antimeridian continues beyond the last column."""
    column_count: int

    @classmethod
    def around(cls, size: float, maps: list[Axes]) -> Self:
        """The smallest window with all maps. On the circle, the widest gap between maps is left out."""
        count = check_size(size)
        highest = min(90, max(axes.latitude.max() for axes in maps))
        lowest = max(-90, min(axes.latitude.min() for axes in maps))
        first_row = int(np.floor((90 - highest) / size + 1e-6))
        last_row = int(np.ceil((90 - lowest) / size - 1e-6))
        used = np.zeros(count, bool)
        for axes in maps:
            used[_columns(size, axes.longitude) % count] = True
        first, width = _span(used)
        return cls(size, first_row, last_row - first_row, first, width)

    @property
    def shape(self) -> tuple[int, int]:
        return self.row_count, self.column_count

    @cached_property
    def latitude_edges(self) -> Floats:
        """From north to south, one more than rows."""
        return np.round(90 - self.size * np.arange(self.first_row, self.first_row + self.row_count + 1), 9)

    @cached_property
    def longitude_edges(self) -> Floats:
        return np.round(self.size * np.arange(self.first_column, self.first_column + self.column_count + 1) - 180, 9)

    @cached_property
    def areas(self) -> Floats:
        """rows×columns, proportional to the area on the sphere."""
        heights = -np.diff(np.sin(np.radians(self.latitude_edges)))
        return np.repeat(heights[:, None] * self.size, self.column_count, 1)

    def cover(self, axes: Axes, class_count: int, read: Band) -> "Cover":
        """A map, read in bands of rows → what each cell holds of it. Pixels count by the area within the cell."""
        weights = self._row_weights(axes.latitude)
        # Values and, last, what was seen: rows of cells × columns of pixels.
        strips = np.zeros((class_count + 1, self.row_count, len(axes.longitude)))
        for rows in _bands(weights, len(axes.longitude) * class_count):
            band, is_land = read(rows)
            here = np.asarray(np.isfinite(band).all(0))
            if is_land is not None:
                here &= ~is_land
            band = np.where(here, band, np.float32(0))
            for row, vertical in enumerate(weights[:, rows]):
                (inside,) = vertical.nonzero()
                if len(inside):
                    part = slice(inside[0], inside[-1] + 1)
                    strips[:-1, row] += np.tensordot(band[:, part], vertical[part], (1, 0))
                    strips[-1, row] += vertical[part] @ here[part]
        shares = strips @ self._column_weights(axes.longitude) / self.areas
        return Cover(shares[:-1], shares[-1])

    def _row_weights(self, edges: Floats) -> Floats:
        """rows×H: height of a pixel row within a row of cells, as a difference of sines."""
        sines = np.sin(np.radians(edges.clip(-90, 90)))
        cells = np.sin(np.radians(self.latitude_edges))
        top = np.minimum(sines[None, :, 1], cells[:-1, None])
        bottom = np.maximum(sines[None, :, 0], cells[1:, None])
        return np.asarray(np.clip(top - bottom, 0, None), float)

    def _column_weights(self, edges: Floats) -> Floats:
        """W×columns: degrees of a pixel column within a column of cells, wherever it lies on the circle."""
        weights = np.zeros((len(edges), self.column_count))
        count = round(360 / self.size)
        for column in _columns(self.size, edges):
            low = column * self.size - 180
            overlap = np.clip(np.minimum(edges[:, 1], low + self.size) - np.maximum(edges[:, 0], low), 0, None)
            place = (column - self.first_column) % count
            if place < self.column_count:
                weights[:, place] += overlap
        return weights


@dataclass(frozen=True)
class Cover:
    """Shares of the area of every cell."""

    values: Floats
    """C×rows×columns: sum of the values over the seen sea, such as the share that a mask covers."""
    seen: Floats
    """rows×columns: sea that was seen. Above 1 where maps overlap."""

    def __add__(self, other: "Cover") -> "Cover":
        """Tiles of one overpass."""
        return Cover(self.values + other.values, self.seen + other.seen)


def check_size(size: float) -> int:
    """The number of columns around the Earth; raises UserError if cells of this size do not fill it."""
    if not (0.01 <= size <= 90) or abs(180 / size - round(180 / size)) > 1e-6:
        raise UserError(f"cells of {size:g}°; expected 0.01 to 90 that divide 180, such as 0.5, 1, 2.5 or 5")
    return round(360 / size)


def _columns(size: float, edges: Floats) -> npt.NDArray[np.int64]:
    """Numbers of the columns of cells that these pixels touch, from 180° W on, not wrapped."""
    first = int(np.floor((edges.min() + 180) / size + 1e-6))
    last = int(np.ceil((edges.max() + 180) / size - 1e-6))
    return np.arange(first, last)


def _span(used: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Used places on a circle → (first, count) of the shortest arc that holds them all."""
    places = np.flatnonzero(used)
    gaps = np.diff([*places, places[0] + len(used)]) - 1
    widest = int(gaps.argmax())
    if gaps[widest] == 0:
        return 0, len(used)
    return int(places[(widest + 1) % len(places)]), len(used) - int(gaps[widest])


def _bands(weights: Floats, values_per_row: int) -> Iterator[slice]:
    """Slices of the pixel rows that lie in any cell, each of a bounded size."""
    rows = np.flatnonzero(weights.any(0))
    step = max(1, BAND_VALUES // values_per_row)
    for first in range(int(rows[0]), int(rows[-1]) + 1, step):
        yield slice(first, min(first + step, int(rows[-1]) + 1))
