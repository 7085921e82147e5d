"""Windows: how a scene is cut into overlapping parts of the size that networks know, and how the parts are blended."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nephoscope.data.images import MIN_SIDE
from nephoscope.earth.grid import Grid
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

OVERLAP = 0.5
"""Share of a window that the next one covers too."""
MOST_OVERLAP = 0.9
SAME_SIZE = 0.02
"""A scene whose side differs from a window's by at most this share is one window, without padding."""
SMALLEST_SHARE = 0.005
"""Share of a window. A smaller scene shows none of the patterns."""
POLEWARD = 60.0
"""Latitude. The patterns are those of warm oceans, and a degree of longitude is half as long here."""

Piece = tuple[slice, slice]
"""(part of a window, part of the scene) that lie on each other."""


@dataclass(frozen=True)
class Axis:
    """The windows along rows or columns. Positions are cells of the output.

    >>> Axis(size=8, window=4, starts=(0, 2, 4), source_size=32).source_pieces(1)
    (16, [(slice(0, 16, None), slice(8, 24, None))])
    """

    size: int
    """Cells of the output."""
    window: int
    """Cells of a window."""
    starts: tuple[int, ...]
    """First cell of every window. Negative if the scene is smaller than a window, and lies in its middle."""
    source_size: int
    """Pixels of the scene."""
    wraps: bool = False
    """True for columns that go around the Earth: the last one touches the first one."""

    def pieces(self, index: int) -> list[Piece]:
        """Cells of a window, and the cells of the output on which they lie."""
        return _cut(self.starts[index], self.starts[index] + self.window, self.size, self.wraps)

    def source_pieces(self, index: int) -> tuple[int, list[Piece]]:
        """Length of a window in pixels of the scene; its pixels, and those of the scene on which they lie."""
        # Rounded to whole pixels. Pixels of 0.01° always fit; coarser ones are displaced by half a pixel at most.
        begin, end = (self._to_source(self.starts[index] + cells) for cells in (0, self.window))
        return end - begin, _cut(begin, end, self.source_size, self.wraps)

    def _to_source(self, cell: int) -> int:
        return math.floor(cell * self.source_size / self.size + 0.5)

    @cached_property
    def weights(self) -> npt.NDArray[np.float64]:
        """size × windows: the weight of every window at every cell; 0 outside of the window."""
        weights = np.zeros((self.size, len(self.starts)))
        taper = self.taper
        for index in range(len(self.starts)):
            for inside, outside in self.pieces(index):
                weights[outside, index] = taper[inside]
        return weights

    @property
    def taper(self) -> npt.NDArray[np.float64]:
        """Raised cosine over the cells of a window. Two that overlap by half add up to 1."""
        return np.asarray(np.sin(np.pi * (np.arange(self.window) + 0.5) / self.window) ** 2, np.float64)


@dataclass(frozen=True)
class Plan:
    """All windows of a scene. A window is (index of its row of windows, index of its column of windows)."""

    grid: Grid
    """Of the output: the scene's area in cells of the networks' output."""
    rows: Axis
    columns: Axis

    @property
    def shape(self) -> Shape:
        return self.grid.shape

    @property
    def is_single(self) -> bool:
        return len(self.rows.starts) == len(self.columns.starts) == 1

    @property
    def window_share(self) -> float:
        """Share of a window that lies in the scene: below 1 for a scene that is smaller than a window."""
        return min(1.0, self.rows.size / self.rows.window) * min(1.0, self.columns.size / self.columns.window)

    def is_poleward(self, row: int) -> bool:
        """True if the windows of this row lie wholly poleward of 60°."""
        edges = [self.grid.part(cells, slice(None)).bounds for _, cells in self.rows.pieces(row)]
        return all(south >= POLEWARD or north <= -POLEWARD for _, south, _, north in edges)

    def windows_of(self, row: int) -> Iterator[tuple[int, int]]:
        """The windows of a row of windows, from west to east; none if it is poleward."""
        if not self.is_poleward(row):
            yield from ((row, column) for column in range(len(self.columns.starts)))


def plan_windows(grid: Grid, ground_size: tuple[float, float], output_shape: Shape, overlap: float = OVERLAP) -> Plan:
    """Grid of a scene → its windows. `ground_size` is (height, width) of a window in degrees.

    >>> plan_windows(Grid.from_bounds((0, 0, 42, 14), (1400, 4200)), (14, 21), (350, 525)).columns.starts
    (0, 262, 524, 525)
    """
    if not 0 <= overlap <= MOST_OVERLAP:
        raise UserError(f"overlap {overlap}; expected 0 to {MOST_OVERLAP}")
    _check_grid(grid)
    west, south, east, north = grid.bounds
    step = 1 - overlap
    rows = _plan_axis(north - south, ground_size[0], output_shape[0], grid.shape[0], step)
    columns = _plan_axis(east - west, ground_size[1], output_shape[1], grid.shape[1], step, circle=360.0)
    plan = Plan(grid.resized((rows.size, columns.size)), rows, columns)
    if plan.window_share < SMALLEST_SHARE:
        raise UserError(
            f"the scene covers {north - south:.3g}°×{east - west:.3g}° (height × width), "
            f"{plan.window_share:.1%} of the {ground_size[0]:g}°×{ground_size[1]:g}° that the networks look at; "
            f"too little to show a pattern, expected at least {SMALLEST_SHARE:.1%}"
        )
    return plan


def _check_grid(grid: Grid) -> None:
    west, south, east, north = grid.bounds
    if not grid.is_regular:
        raise UserError(f"the grid ({grid.crs}) is not longitude and latitude, north up; reproject the scene first")
    if min(grid.shape) < MIN_SIDE:
        raise UserError(f"the scene has {grid.shape[0]}×{grid.shape[1]} pixels; a side needs at least {MIN_SIDE}")
    if east - west > 360 + grid.cell_size[1] / 2:
        raise UserError(f"the scene is {east - west:g}° wide; expected at most 360°")
    if south >= POLEWARD or north <= -POLEWARD:
        raise UserError(
            f"the scene lies poleward of {POLEWARD:g}° (latitude {south:g} to {north:g}), where nothing is predicted: "
            "the patterns are those of shallow clouds over warm oceans, and a degree of longitude is too short there"
        )


def _plan_axis(extent: float, ground: float, window: int, source_size: int, step: float, circle: float = 0.0) -> Axis:
    if abs(extent / ground - 1) <= SAME_SIZE + 1e-9:
        return Axis(window, window, (0,), source_size)
    size = max(1, round(extent / ground * window))
    if size <= window:
        return Axis(size, window, (-((window - size) // 2),), source_size)
    cells = max(1, math.floor(step * window))
    if abs(extent - circle) <= extent / source_size / 2:  # closed, within half a pixel
        count = math.ceil(size / cells)
        return Axis(size, window, tuple(size * index // count for index in range(count)), source_size, wraps=True)
    # The last window is shifted inside.
    return Axis(size, window, (*range(0, size - window, cells), size - window), source_size)


def _cut(begin: int, end: int, size: int, wraps: bool) -> list[Piece]:
    """The parts of begin … end that lie within 0 … size; around a circle, what exceeds the end begins again at 0."""
    turns = range(begin // size, (end - 1) // size + 1) if wraps else (0,)
    pieces = []
    for turn in turns:
        first, last = max(begin, turn * size), min(end, (turn + 1) * size)
        pieces.append((slice(first - begin, last - begin), slice(first - turn * size, last - turn * size)))
    return pieces
