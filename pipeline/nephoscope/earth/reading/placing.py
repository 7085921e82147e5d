"""From pixels on any grid to a scene on a regular one: turned north up where that is enough, otherwise reprojected."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nephoscope.earth.grid import GEOGRAPHIC, Bounds, Grid
from nephoscope.earth.reading.pixels import Pixels, Window, check_size
from nephoscope.earth.scene import Place, Scene
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask

SQUARE = 0.05
"""How far cells of a picture may be from square, in degrees. Beyond it, the bounds belong to another picture."""
DECIMALS = 9
"""Bounds are rounded, so that every kind of file gives the same coordinates for the same place."""


@dataclass(frozen=True)
class Description:
    """What is known of a scene besides its pixels."""

    name: str
    source: str
    time: np.datetime64 | None = None
    sensor: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def make_scene(pixels: Pixels, about: Description) -> Scene:
    """Pixels on any grid → a scene in longitude and latitude, north up."""
    check_size(about.source, pixels.grid.shape)
    a, b, _, d, e, _ = pixels.grid.transform
    if not np.isfinite(pixels.grid.transform).all() or a * e == b * d:
        raise UserError(
            f"{about.source}: its transform {pixels.grid.transform} describes no grid, because its cells have no area; "
            "place it again, such as with gdal_edit.py -a_ullr W N E S"
        )
    if pixels.grid.crs == GEOGRAPHIC and b == d == 0:
        return TurnedScene(pixels, about)
    from nephoscope.earth.reading.reprojection import ReprojectedScene

    return ReprojectedScene(pixels, about)


def check_square(source: str, grid: Grid) -> None:
    """Bounds that somebody stated must fit the picture."""
    cell_height, cell_width = grid.cell_size
    if abs(cell_width / cell_height - 1) > SQUARE:
        height, width = grid.shape
        west, south, east, north = grid.bounds
        crossing = "; west exceeds east, so the box crosses the antimeridian" if east > 180 else ""
        raise UserError(
            f"{source}: {width}×{height} pixels (width×height) for bounds {east - west:g}° wide and {north - south:g}° "
            f"high{crossing}: a pixel would be {cell_width:.4g}° wide and {cell_height:.4g}° high; expected "
            "square pixels. Check the bounds (W,S,E,N), or store the picture as a GeoTIFF if its pixels are not square"
        )


class TurnedScene(Scene):
    """Longitude and latitude already: rows and columns are reversed where needed, and nothing is interpolated."""

    def __init__(self, pixels: Pixels, about: Description) -> None:
        self.name, self.source, self._about, self._pixels = about.name, about.source, about, pixels
        a, _, _, _, e, _ = pixels.grid.transform
        self._left_to_right, self._top_to_bottom = a > 0, e < 0
        bounds, self._first_row, height = _within_poles(about.source, pixels.grid)
        grid = Grid.from_bounds(_turn(about.source, bounds), (height, pixels.grid.shape[1]))
        self.place = Place(grid, about.time, None, grid.cell_size[0], about.sensor)

    @property
    def attributes(self) -> Mapping[str, str]:  # type: ignore[override]
        return {**self._about.attributes, **self._pixels.attributes}

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        window = Window.of(rows, columns, self.place.grid.shape)
        height, width = self._pixels.grid.shape
        top, bottom = window.top + self._first_row, window.bottom + self._first_row
        if not self._top_to_bottom:
            top, bottom = height - bottom, height - top
        left, right = window.left, window.right
        if not self._left_to_right:
            left, right = width - right, width - left
        image, seen = self._pixels.read(slice(top, bottom), slice(left, right))
        turn = (
            slice(None, None, 1 if self._top_to_bottom else -1),
            slice(None, None, 1 if self._left_to_right else -1),
        )
        return np.ascontiguousarray(image[turn]), np.ascontiguousarray(seen[turn])

    def close(self) -> None:
        self._pixels.close()


def _within_poles(source: str, grid: Grid) -> tuple[Bounds, int, int]:
    """Bounds, first row (from north) and number of rows that lie within ±90°.

    Grids of models have rows whose centre is a pole; half of such a row would lie beyond it, so it is left out.
    """
    west, south, east, north = grid.bounds
    if not np.isfinite([west, south, east, north]).all():
        raise UserError(f"{source}: its coordinates are not finite; expected longitude and latitude in degrees")
    height = grid.shape[0]
    cell = (north - south) / height
    tolerance = 1e-6
    if north - cell / 2 > 90 + tolerance or south + cell / 2 < -90 - tolerance:
        raise UserError(
            f"{source}: latitudes from {south:g} to {north:g}; expected −90 to 90 degrees; "
            "if these are metres, its coordinate reference system is missing or wrong: assign it"
        )
    beyond_north, beyond_south = int(north > 90 + tolerance), int(south < -90 - tolerance)
    bounds = (west, south + beyond_south * cell, east, north - beyond_north * cell)
    return bounds, beyond_north, height - beyond_north - beyond_south


def _turn(source: str, bounds: Bounds) -> Bounds:
    """Bounds with −180 ≤ west < 180, rounded; refused if they are no longitudes."""
    west, south, east, north = bounds
    if west < -361 or east > 541 or east - west > 360 + 1e-6:
        raise UserError(
            f"{source}: longitudes from {west:g} to {east:g}; expected at most 360° within −180 to 180 or 0 to 360; if "
            "these are metres, assign the coordinate reference system; if a meridian comes twice, drop its last column"
        )
    turns = 360 * np.floor((round(west, DECIMALS) + 180) / 360)
    west, south, east, north = (
        float(round(edge, DECIMALS)) for edge in (west - turns, max(south, -90), east - turns, min(north, 90))
    )
    return west, south, east, north
