"""A box and a span of days → the pictures to fetch: satellite, day, bounds, shape, and the name that says them all."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from nephoscope.earth.grid import Bounds
from nephoscope.earth.imagery.services import DECIMALS, MAX_SIDE, Satellite, format_degrees
from nephoscope.earth.reading.names import check_bounds
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

GRAIN = 0.01
"""Degrees a pixel: the grain of the model's training data."""
TILE = (21.0, 14.0)
"""(width, height) in degrees: the box of the model's training data, 2100×1400 pixels."""
MIN_SIDE = 8
"""Pixels, as `predict` demands."""


@dataclass(frozen=True)
class Picture:
    """One picture to fetch."""

    satellite: Satellite
    day: date
    bounds: Bounds
    shape: Shape

    @property
    def stem(self) -> str:
        """Its file name without ending, in the pattern of the crowd's pictures: date, longitudes, latitudes.

        Aqua_CorrectedReflectance20071227_-61--40_10-24, or with decimals …20071227_-60.5--39.5_10.25-24.25
        """
        west, south, east, north = (format_degrees(value) for value in self.bounds)
        day = self.day.strftime("%Y%m%d")
        return f"{self.satellite.file_prefix}_CorrectedReflectance{day}_{west}-{east}_{south}-{north}"


def cut_box(bounds: Bounds, tile: tuple[float, float] = TILE, grain: float = GRAIN) -> list[tuple[Bounds, Shape]]:
    """A box (west, south, east, north) → tiles of at most this size (width, height), with their shapes.

    Tiles overlap where the box is no multiple of them, so that all are as large as networks need. A box that crosses
    the antimeridian (east > 180, or east < west) is cut there.

    >>> [bounds for bounds, _ in cut_box((-61, 10, -30, 24))]
    [(-61.0, 10.0, -40.0, 24.0), (-51.0, 10.0, -30.0, 24.0)]
    """
    _check_tile(tile, grain)
    west, south, east, north = check_bounds(bounds)
    spans = [(west, east)] if east <= 180 else [(west, 180.0), (-180.0, east - 360)]
    columns = [column for span in spans for column in _cut(*span, tile[0])]
    rows = _cut(south, north, tile[1], from_end=True)
    tiles = [(west, south, east, north) for south, north in rows for west, east in columns]
    return [(box, _shape(box, grain)) for box in tiles]


def list_days(first: date, last: date) -> list[date]:
    """Both days are included."""
    if last < first:
        raise UserError(f"the span ends on {last}, before it begins on {first}; exchange --from and --to")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def list_pictures(
    satellites: Sequence[Satellite], days: Sequence[date], tiles: Sequence[tuple[Bounds, Shape]]
) -> Iterator[Picture]:
    """Every satellite, day and tile, in the order of days. Days before the launch of a satellite are left out."""
    late = [satellite for satellite in satellites if satellite.launched > days[-1]]
    if late:
        launches = ", ".join(f"{satellite.sensor} on {satellite.launched}" for satellite in late)
        raise UserError(f"no picture can exist: launched after {days[-1]}: {launches}; choose another satellite")
    for day in days:
        for satellite in satellites:
            if day >= satellite.launched:
                yield from (Picture(satellite, day, bounds, shape) for bounds, shape in tiles)


def _check_tile(tile: tuple[float, float], grain: float) -> None:
    if not (math.isfinite(grain) and 0 < grain <= 1):
        raise UserError(f"a grain of {grain}° a pixel; expected more than 0 and at most 1, such as 0.01")
    sides = [side / grain for side in tile]
    if not all(MIN_SIDE <= side <= MAX_SIDE + 1e-6 for side in sides):
        raise UserError(
            f"tiles of {tile[0]:g}°×{tile[1]:g}° have {sides[0]:.0f}×{sides[1]:.0f} pixels at {grain:g}° a pixel; "
            f"expected {MIN_SIDE} to {MAX_SIDE} a side: choose other tiles or another grain"
        )


def _cut(low: float, high: float, size: float, from_end: bool = False) -> list[tuple[float, float]]:
    """A span → equal spans of this size; the last one begins early instead of being short."""
    count = max(1, math.ceil((high - low) / size - 1e-9))
    length = min(size, high - low)
    starts = [min(low + number * size, high - length) for number in range(count)]
    if from_end:  # from north to south
        starts = [low + high - length - start for start in starts]
    # Rounded as in file names, so that a name is exact.
    return [(round(start, DECIMALS), round(start + length, DECIMALS)) for start in map(float, starts)]


def _shape(bounds: Bounds, grain: float) -> Shape:
    west, south, east, north = bounds
    shape = (min(MAX_SIDE, round((north - south) / grain)), min(MAX_SIDE, round((east - west) / grain)))
    if min(shape) < MIN_SIDE:
        raise UserError(f"the box has {shape[0]}×{shape[1]} pixels at {grain:g}° a pixel; a side needs {MIN_SIDE}")
    return shape
