"""Where a model was never validated: other regions, seasons, grains or sensors, land, and too little context."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.scene import Place
from nephoscope.masks.rle import Mask

Flags = npt.NDArray[np.uint8]
"""H×W: a bit for every reason; 0 where the model was validated on such data."""
FLAGS: Mapping[str, int] = {
    "outside_regions": 1,
    "outside_seasons": 2,
    "coarse_grain": 4,
    "other_sensor": 8,
    "little_context": 16,
    "over_land": 32,
}
"""Meaning → bit."""
ROWS = 256
BLOCK = 32
"""Side in cells of the blocks in which the visible share is counted."""


@dataclass(frozen=True)
class Region:
    bounds: Bounds
    months: frozenset[int]
    """1 to 12."""


@dataclass(frozen=True)
class Domain:
    """The imagery on which a model was validated."""

    regions: tuple[Region, ...]
    grain: float
    """Coarsest height of a source pixel, in degrees."""
    sensors: frozenset[str]
    window: tuple[float, float]
    """(height, width) in degrees of what the networks see at once."""
    context: float = 0.5
    """Smallest share of a window that must be visible."""


DOMAINS: Mapping[str, Domain] = {
    "clouds": Domain(
        (
            Region((-61, 10, -40, 24), frozenset({12, 1, 2, 3, 4, 5})),
            Region((159, 8, 180, 22), frozenset({12, 1, 2})),
            Region((-135, -15, -114, -1), frozenset({9, 10, 11, 12, 1, 2})),
        ),
        # A quarter coarser than 0.01°, so that pictures of the same service at other sizes pass.
        grain=0.0125,
        sensors=frozenset({"MODIS Aqua", "MODIS Terra"}),
        window=(14, 21),
    ),
}
"""Data format of a model → its domain. Models of other formats have none, and their results have no flags."""


def find_flags(place: Place, visible: Mask, land: Mask, domain: Domain) -> Flags:
    """A place whose grid has the shape of `visible` (H×W) → flags. An unknown time or sensor sets no flag."""
    flags = np.zeros(visible.shape, np.uint8)
    for begin in range(0, len(flags), ROWS):  # large scenes would need several masks of their size
        rows = slice(begin, begin + ROWS)
        _flag_regions(flags[rows], replace(place, grid=place.grid.part(rows, slice(None))), domain)
    if place.source_cell > domain.grain:
        flags |= FLAGS["coarse_grain"]
    if place.sensor and place.sensor not in domain.sensors:
        flags |= FLAGS["other_sensor"]
    flags[lacks_context(place.grid, visible, domain)] |= FLAGS["little_context"]
    flags[land] |= FLAGS["over_land"]
    return flags


def _flag_regions(flags: Flags, place: Place, domain: Domain) -> None:
    """Add the flags of regions and seasons."""
    within, in_season = _compare_regions(place, domain)
    flags[~within] |= FLAGS["outside_regions"]
    if place.time is not None:
        flags[~in_season] |= FLAGS["outside_seasons"]


def _compare_regions(place: Place, domain: Domain) -> tuple[Mask, Mask]:
    """(within a region, in season). Outside all regions, the season of any of them counts."""
    month = 0 if place.time is None else int(place.time.astype("datetime64[M]").astype(int) % 12 + 1)
    within, right = np.zeros(place.grid.shape, bool), np.zeros(place.grid.shape, bool)
    for region in domain.regions:
        inside = _is_inside(place.grid, region.bounds)
        within |= inside
        if month in region.months:
            right |= inside
    anywhere = any(month in region.months for region in domain.regions)
    return within, np.where(within, right, anywhere)


def _is_inside(grid: Grid, bounds: Bounds) -> Mask:
    west, south, east, north = bounds
    rows = (grid.latitude > south) & (grid.latitude < north)
    columns = (grid.longitude - west) % 360 < east - west
    return np.asarray(rows[:, None] & columns[None])


def lacks_context(grid: Grid, visible: Mask, domain: Domain) -> Mask:
    """H×W: True where less than `domain.context` of a window around the pixel was seen."""
    height, width = (size / cell for size, cell in zip(domain.window, grid.cell_size, strict=True))
    if grid.shape[0] < 0.95 * height or grid.shape[1] < 0.95 * width:
        return np.ones(grid.shape, bool)
    blocks = _visible_shares(visible)
    # Blocks beyond the edge repeat the edge: windows do not reach beyond the scene.
    size = max(1, round(width / BLOCK)), max(1, round(height / BLOCK))
    shares = cv2.blur(blocks, size, borderType=cv2.BORDER_REFLECT)
    little = (shares < domain.context).repeat(BLOCK, 0).repeat(BLOCK, 1)
    return np.asarray(little[: grid.shape[0], : grid.shape[1]])


def _visible_shares(visible: Mask) -> npt.NDArray[np.float32]:
    """Share of every block that was seen, a few rows of the mask at a time."""
    starts = np.arange(0, visible.shape[1], BLOCK)
    rows = []
    for begin in range(0, visible.shape[0], BLOCK):
        part = np.asarray(visible[begin : begin + BLOCK], bool)
        sizes = np.diff([*starts, visible.shape[1]]) * len(part)
        rows.append(np.add.reduceat(part.sum(0), starts) / sizes)
    return np.asarray(rows, np.float32)
