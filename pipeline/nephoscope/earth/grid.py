"""Grids: where the pixels of an array lie on Earth."""

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

Bounds: TypeAlias = tuple[float, float, float, float]
"""(west, south, east, north). In degrees, east may exceed 180 where the antimeridian is crossed."""
Transform: TypeAlias = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a·column + b·row + c, y = d·column + e·row + f, at the corners of pixels."""
GEOGRAPHIC = "EPSG:4326"
"""Longitude and latitude in degrees."""


@dataclass(frozen=True)
class Grid:
    """A coordinate reference system, an affine transform, and the shape (height, width) of the array."""

    crs: str
    """"EPSG:4326" for longitude and latitude; otherwise an authority code or WKT."""
    transform: Transform
    shape: Shape

    @classmethod
    def from_bounds(cls, bounds: Bounds, shape: Shape, crs: str = GEOGRAPHIC) -> Self:
        """North up, west to east.

        >>> Grid.from_bounds((-61, 10, -40, 24), (350, 525)).longitude[:2].round(6).tolist()
        [-60.98, -60.94]
        """
        west, south, east, north = bounds
        if not (west < east and south < north):
            raise UserError(f"bounds {bounds}; expected west < east and south < north")
        height, width = shape
        return cls(crs, ((east - west) / width, 0.0, west, 0.0, (south - north) / height, north), shape)

    @property
    def bounds(self) -> Bounds:
        """Outer edges of the array. For a rotated grid, of the box around it."""
        a, b, c, d, e, f = self.transform
        height, width = self.shape
        x = [c + a * column + b * row for column in (0, width) for row in (0, height)]
        y = [f + d * column + e * row for column in (0, width) for row in (0, height)]
        return min(x), min(y), max(x), max(y)

    @property
    def is_regular(self) -> bool:
        """True for longitude and latitude, north up and west to east: the only grids that networks see."""
        a, b, _, d, e, _ = self.transform
        return self.crs == GEOGRAPHIC and a > 0 > e and b == d == 0

    @property
    def cell_size(self) -> tuple[float, float]:
        """(height, width) of a pixel, in units of the CRS."""
        a, b, _, d, e, _ = self.transform
        return float(np.hypot(b, e)), float(np.hypot(a, d))

    @property
    def longitude(self) -> npt.NDArray[np.float64]:
        """Centres of the columns (x of a projected grid). For grids without rotation."""
        return _centres(self.transform[2], self.transform[0], self.shape[1])

    @property
    def latitude(self) -> npt.NDArray[np.float64]:
        """Centres of the rows, from north to south."""
        return _centres(self.transform[5], self.transform[4], self.shape[0])

    def resized(self, shape: Shape) -> Self:
        """The same area with another number of pixels."""
        a, b, c, d, e, f = self.transform
        rows, columns = self.shape[0] / shape[0], self.shape[1] / shape[1]
        return type(self)(self.crs, (a * columns, b * rows, c, d * columns, e * rows, f), shape)

    def part(self, rows: slice, columns: slice) -> Self:
        """The grid of a window of the array."""
        a, b, c, d, e, f = self.transform
        top, left = rows.start or 0, columns.start or 0
        shape = len(range(*rows.indices(self.shape[0]))), len(range(*columns.indices(self.shape[1])))
        corner = (c + a * left + b * top, f + d * left + e * top)
        return type(self)(self.crs, (a, b, corner[0], d, e, corner[1]), shape)


def _centres(edge: float, step: float, count: int) -> npt.NDArray[np.float64]:
    # Rounded, so that bounds such as 0.1 give 0.15 and not 0.15000000000000002, whatever way they were computed.
    return np.asarray(np.round(edge + step * (np.arange(count) + 0.5), 9), np.float64)
