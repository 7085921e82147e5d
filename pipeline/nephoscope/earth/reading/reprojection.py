"""Scenes of another grid than longitude and latitude: reprojected to EPSG:4326, window by window, nodata kept."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import GEOGRAPHIC, Grid
from nephoscope.earth.reading.pixels import Pixels, Window, check_size
from nephoscope.earth.reading.placing import DECIMALS, Description
from nephoscope.earth.reading.reference_systems import Coordinates, from_degrees, to_degrees
from nephoscope.earth.scene import Place, Scene
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape

SAMPLES = 257
"""Points along a side at which the place of the whole source is found."""
BLOCK = 1024
"""Pixels along a side that are reprojected at once."""
BLOCK_SAMPLES = 33
SMALLEST_BLOCK = 32
MOST_SOURCE_PIXELS = 16_000_000
"""A block that needs more of the source is divided, so that memory stays bounded."""
MARGIN = 3
"""Source pixels around those that are needed, for interpolation."""
TOLERANCE = 0.01
"""Source pixels by which GDAL may shorten the computing of places. Windows that overlap then agree."""
FILTER = {"XSCALE": "1", "YSCALE": "1"}
"""GDAL would widen its filter where a block happens to shrink, so blocks would not fit together."""
SMALLEST_CELL, LARGEST_CELL = 1e-6, 10.0
"""Degrees. Cells outside these limits mean that the coordinate reference system is wrong."""


class Extent(NamedTuple):
    """Where a source lies: degrees, and the size of its pixels."""

    west: float
    south: float
    east: float
    north: float
    diagonal: float
    """Degrees between the first corner and the opposite one."""
    source_cell: float


class ReprojectedScene(Scene):
    """Bilinear between source pixels that were seen; where the source has none, nothing was seen."""

    def __init__(self, pixels: Pixels, about: Description) -> None:
        self.name, self.source, self._about, self._pixels = about.name, about.source, about, pixels
        extent = find_extent(about.source, pixels.grid)
        grid = target_grid(extent, pixels.grid.shape)
        check_size(about.source, grid.shape)
        self.place = Place(grid, about.time, pixels.grid, extent.source_cell, about.sensor)

    @property
    def attributes(self) -> Mapping[str, str]:  # type: ignore[override]
        own = {"reprojection": f"bilinear, from {self._pixels.grid.crs[:60]} to {GEOGRAPHIC}"}
        return {**self._about.attributes, **self._pixels.attributes, **own}

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        window = Window.of(rows, columns, self.place.grid.shape)
        image, seen = np.zeros((*window.shape, 3), np.uint8), np.zeros(window.shape, bool)
        for top in range(0, window.shape[0], BLOCK):
            for left in range(0, window.shape[1], BLOCK):
                block = slice(top, min(top + BLOCK, window.shape[0])), slice(left, min(left + BLOCK, window.shape[1]))
                grid = self.place.grid.part(*_shifted(block, window.top, window.left))
                self._fill(grid, image[block], seen[block])
        return image, seen

    def _fill(self, grid: Grid, image: Image, seen: Mask) -> None:
        """Reproject a block of the target grid into these views."""
        needed = self._needed(grid)
        if needed is None:
            return
        height, width = grid.shape
        if needed.shape[0] * needed.shape[1] > MOST_SOURCE_PIXELS and max(height, width) > SMALLEST_BLOCK:
            for rows in _halves(height):
                for columns in _halves(width):
                    self._fill(grid.part(rows, columns), image[rows, columns], seen[rows, columns])
            return
        source_image, source_seen = self._pixels.read(*needed.slices)
        try:
            image[:], seen[:] = reproject(source_image, source_seen, self._pixels.grid.part(*needed.slices), grid)
        except Exception as error:  # GDAL and rasterio have their own errors
            raise UserError(
                f"{self.source}: cannot be reprojected ({str(error)[:200]}); reproject it with "
                f"gdalwarp -t_srs {GEOGRAPHIC}"
            ) from error

    def _needed(self, grid: Grid) -> Window | None:
        """The part of the source that a block of the target shows; None if it shows nothing of it."""
        source = self._pixels.grid
        longitude, latitude = lattice(grid, BLOCK_SAMPLES)
        columns, rows = _to_pixels(source, *from_degrees(source.crs, longitude, latitude))
        known = np.isfinite(columns) & np.isfinite(rows)
        if not known.any():
            return None
        # The edge of what the projection shows may lie between two samples.
        spread = 0 if known.all() else max(source.shape) // 8
        top, bottom = _span(rows[known], spread, source.shape[0])
        left, right = _span(columns[known], spread, source.shape[1])
        return Window(top, bottom, left, right) if top < bottom and left < right else None

    def close(self) -> None:
        self._pixels.close()


def reproject(image: Image, seen: Mask, source: Grid, target: Grid) -> tuple[Image, Mask]:
    """An image (H×W×3) and its pixels seen on one grid → the same on another."""
    from affine import Affine
    from rasterio.warp import Resampling
    from rasterio.warp import reproject as warp

    # As an alpha band, the pixels not seen have no weight, so their colour does not bleed into their neighbours.
    bands = np.concatenate([np.moveaxis(image, 2, 0), seen[None] * np.uint8(255)])
    warped = np.zeros((4, *target.shape), np.uint8)
    warp(
        bands, warped,
        src_transform=Affine(*source.transform), src_crs=source.crs, src_alpha=4,
        dst_transform=Affine(*target.transform), dst_crs=target.crs, dst_alpha=4,
        resampling=Resampling.bilinear, tolerance=TOLERANCE, num_threads=1, **FILTER,
    )  # fmt: skip
    visible = warped[3] >= 128
    return np.where(visible[..., None], np.moveaxis(warped[:3], 0, 2), np.uint8(0)), visible


def find_extent(source: str, grid: Grid) -> Extent:
    """The part of a grid that lies on Earth, in degrees."""
    x, y = lattice(grid, SAMPLES)
    longitude, latitude = to_degrees(grid.crs, x, y)
    known = np.isfinite(longitude) & np.isfinite(latitude) & (np.abs(latitude) <= 90 + 1e-9)
    cell = _source_cell(grid, x, y, known, longitude, latitude) if known.any() else 0.0
    if not SMALLEST_CELL <= cell <= LARGEST_CELL:
        west, south, east, north = grid.bounds
        raise UserError(
            f"{source}: coordinates x {west:g} to {east:g} and y {south:g} to {north:g} are not places that "
            f"{grid.crs[:60]} describes (pixels of {cell:.2g}°); its coordinate reference system is wrong: "
            "assign the right one"
        )
    if grid.crs == GEOGRAPHIC and not known.all():
        raise UserError(f"{source}: latitudes from {y.min():g} to {y.max():g}; expected −90 to 90 degrees")
    west, east = _longitude_span(longitude[known], grid.crs)
    south, north = float(latitude[known].min()), float(latitude[known].max())
    # From the upper left corner to the lower right, however the rows and columns run.
    a, b, _, d, e, _ = grid.transform
    turned = b == d == 0
    corners = ([-1, 0] if turned and e > 0 else [0, -1], [-1, 0] if turned and a < 0 else [0, -1])
    # The small number absorbs the error of rounding at the western edge.
    wide = np.ptp((longitude[corners] - west + 1e-6) % 360)
    diagonal = float(np.hypot(wide, np.ptp(latitude[corners])))
    # The corners of a full disc are not on Earth, and those of a grid around the Earth may be one place.
    if not np.isfinite(diagonal) or diagonal < max(east - west, north - south):
        diagonal = float(np.hypot(east - west, north - south))
    return Extent(west, south, east, north, diagonal, cell)


def target_grid(extent: Extent, shape: Shape) -> Grid:
    """Square cells that keep the number of pixels along the diagonal, which is GDAL's default."""
    width, height = extent.east - extent.west, extent.north - extent.south
    cell = extent.diagonal / float(np.hypot(*shape))
    west, north = round(extent.west, DECIMALS), round(extent.north, DECIMALS)
    # Rounding must not lead beyond a pole, or around the Earth.
    rows = max(1, min(int(height / cell + 0.5), int((north + 90) / cell)))
    columns = max(1, min(int(width / cell + 0.5), int(360 / cell)))
    return Grid(GEOGRAPHIC, (cell, 0.0, west, 0.0, -cell, north), (rows, columns))


def lattice(grid: Grid, most: int) -> tuple[Coordinates, Coordinates]:
    """Coordinates of corners of pixels, spread over the grid, its edges included."""
    height, width = grid.shape
    columns, rows = np.meshgrid(
        np.linspace(0, width, min(most, width + 1)), np.linspace(0, height, min(most, height + 1))
    )
    a, b, c, d, e, f = grid.transform
    return a * columns + b * rows + c, d * columns + e * rows + f


def _source_cell(
    grid: Grid, x: Coordinates, y: Coordinates, known: Mask, longitude: Coordinates, latitude: Coordinates
) -> float:
    """Median height of a pixel, as an angle at the centre of the Earth. 0 if it cannot be found."""
    _, b, _, _, e, _ = grid.transform
    lower = to_degrees(grid.crs, x + b, y + e)
    both = known & np.isfinite(lower[0]) & np.isfinite(lower[1])
    if not both.any():
        return 0.0
    north, south = np.radians(latitude[both]), np.radians(lower[1][both])
    half = np.sin((north - south) / 2) ** 2
    half += np.cos(north) * np.cos(south) * np.sin(np.radians(lower[0][both] - longitude[both]) / 2) ** 2
    return float(np.degrees(2 * np.median(np.arcsin(np.sqrt(np.clip(half, 0, 1))))))


def _longitude_span(longitude: Coordinates, crs: str) -> tuple[float, float]:
    """(west, east) of the smallest arc that holds all longitudes; east may exceed 180."""
    if crs == GEOGRAPHIC:  # a rotated grid: its coordinates are continuous
        west, east = float(longitude.min()), float(longitude.max())
        turns = 360 * np.floor((west + 180) / 360)
        return float(west - turns), float(east - turns)
    around = np.unique(longitude % 360)
    gaps = np.diff(around, append=around[0] + 360)
    widest = int(gaps.argmax())
    if gaps[widest] < 5:  # all around the Earth
        return -180.0, 180.0
    west = float(around[(widest + 1) % len(around)])
    width = 360 - float(gaps[widest])
    west = west - 360 if west >= 180 else west
    return west, west + width


def _to_pixels(grid: Grid, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    a, b, c, d, e, f = grid.transform
    with np.errstate(invalid="ignore"):
        x, y, area = x - c, y - f, a * e - b * d
        return (e * x - b * y) / area, (a * y - d * x) / area


def _span(values: npt.NDArray[np.float64], spread: int, size: int) -> tuple[int, int]:
    low = max(0, int(np.floor(np.clip(values.min(), -1, size + 1))) - MARGIN - spread)
    return low, min(size, int(np.ceil(np.clip(values.max(), -1, size + 1))) + MARGIN + spread)


def _halves(size: int) -> tuple[slice, slice]:
    return slice(0, (size + 1) // 2), slice((size + 1) // 2, size)


def _shifted(block: tuple[slice, slice], top: int, left: int) -> tuple[slice, slice]:
    rows, columns = block
    return slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left)
