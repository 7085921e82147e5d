"""Pixels of a source on its own grid, whatever kind of file or array it is, and the limits that every kind obeys."""

from abc import ABC, abstractmethod
from math import prod
from typing import NamedTuple

from nephoscope.data.images import MIN_SIDE
from nephoscope.earth.grid import Grid
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape

MAX_SCENE_PIXELS = 10**10
"""Limit against headers that claim absurd sizes. A pixel of 250 m covers the Earth with 1.3e10 pixels."""
MAX_SIDE = 1_000_000
MAX_BLOCK_VALUES = 400_000_000
"""Limit of a block (a strip or tile of a TIFF, a chunk of a NetCDF or Zarr), which is decoded as a whole."""
SAMPLE_COUNT, SAMPLE_SIDE = 4, 64
"""Values are sampled in 4×4 windows of 64×64 pixels."""


class Pixels(ABC):
    """An image on the grid of its source: any CRS, any direction of the axes."""

    grid: Grid

    @abstractmethod
    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        """A window within the grid → pixels (h×w×3 uint8, RGB; 0 where nothing was seen) and the pixels seen (h×w).

        Thread-safe.
        """

    @property
    def attributes(self) -> dict[str, str]:
        """What the source says of itself, and how its values became 8 bits."""
        return {}

    def close(self) -> None:  # noqa: B027  (arrays in memory have nothing to release)
        """Release files."""


class Window(NamedTuple):
    """The rows and columns of a part of an array, as numbers."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, rows: slice, columns: slice, shape: Shape) -> "Window":
        top, bottom, _ = rows.indices(shape[0])
        left, right, _ = columns.indices(shape[1])
        return cls(top, max(top, bottom), left, max(left, right))

    @property
    def shape(self) -> Shape:
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


def sample_windows(shape: Shape) -> list[Window]:
    """A few small windows, spread evenly: enough to know the range of the values."""
    return [Window(*rows, *columns) for rows in _spread(shape[0]) for columns in _spread(shape[1])]


def _spread(size: int) -> list[tuple[int, int]]:
    side = min(SAMPLE_SIDE, size)
    starts = {round(part * (size - side) / (SAMPLE_COUNT - 1)) for part in range(SAMPLE_COUNT)}
    return [(start, start + side) for start in sorted(starts)]


def check_size(source: str, shape: Shape) -> None:
    height, width = shape
    if min(shape) < MIN_SIDE:
        raise UserError(f"{source}: {height}×{width} pixels; a side must have at least {MIN_SIDE}")
    if height * width > MAX_SCENE_PIXELS or max(shape) > MAX_SIDE:
        raise UserError(
            f"{source}: {height}×{width} pixels; at most {MAX_SCENE_PIXELS:.0e} are allowed, and {MAX_SIDE} along a "
            "side; cut it into parts"
        )


def check_block(source: str, shape: tuple[int, ...], way_out: str) -> None:
    """A block is decoded as a whole, even for a window of a few pixels."""
    if prod(shape) > MAX_BLOCK_VALUES:
        raise UserError(
            f"{source}: stored in blocks of {'×'.join(map(str, shape))} values; at most {MAX_BLOCK_VALUES:.0e} are "
            f"allowed, because a block is decoded as a whole; {way_out}"
        )
