"""Drawn at random: sources of any grid, order, type and damage are read rightly or refused with a UserError."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401  (adds .rio)
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from nephoscope.data.images import MIN_SIDE
from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import open_scene
from nephoscope.errors import UserError
from tests.builders.placed_pictures import BOUNDS, draw_picture, read_all, write_geotiff

GEOSTATIONARY = "+proj=geos +lon_0=-75 +h=35786023 +ellps=GRS80 +sweep=x +units=m"
SYSTEMS = {
    "EPSG:4326": (1.0, (-200.0, 380.0), (-95.0, 95.0)),
    "EPSG:4269": (1.0, (-180.0, 180.0), (-90.0, 90.0)),
    "EPSG:32618": (1e5, (-1e6, 2e6), (-1e6, 1e7)),
    "EPSG:3857": (1e5, (-2.1e7, 2.1e7), (-2.1e7, 2.1e7)),
    "EPSG:3995": (1e5, (-5e6, 5e6), (-5e6, 5e6)),
    GEOSTATIONARY: (1e5, (-6e6, 6e6), (-6e6, 6e6)),
    'LOCAL_CS["plan",UNIT["metre",1]]': (1.0, (0.0, 9.0), (0.0, 9.0)),
}
"""CRS → width of a scene, and where its corner may lie."""


@st.composite
def grids(draw):
    crs = draw(st.sampled_from(sorted(SYSTEMS)))
    width, x, y = SYSTEMS[crs]
    side = st.sampled_from([1, 3, *range(8, 41)])
    shape = draw(st.tuples(side, side))
    cell = width * draw(st.sampled_from([0.001, 0.01, 0.1, 1.0]))
    angle = draw(st.sampled_from([0.0, 0.0, 0.0, 0.3, np.pi / 2]))
    a, e = cell * draw(st.sampled_from([1, 1, -1])), cell * draw(st.sampled_from([-1, -1, 1, -1.3]))
    turned = (a * np.cos(angle), -e * np.sin(angle), 0, a * np.sin(angle), e * np.cos(angle), 0)
    c, f = draw(st.floats(*x)), draw(st.floats(*y))
    return Grid(crs, (turned[0], turned[1], c, turned[3], turned[4], f), shape)


def colours_around(image, grid, longitude, latitude):
    """The least and the greatest level within two pixels of a place in the source; None near its edge."""
    x, y = longitude, latitude
    if grid.crs not in ("EPSG:4326", "EPSG:4269"):
        x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(longitude, latitude)
    a, b, c, d, e, f = grid.transform
    turns = [0] if grid.crs not in ("EPSG:4326", "EPSG:4269") else [0, 360, -360]
    for turn in turns:
        column, row = np.linalg.solve([[a, b], [d, e]], [x + turn - c, y - f])
        if 0 <= column < grid.shape[1] and 0 <= row < grid.shape[0]:
            around = image[max(0, int(row) - 2) : int(row) + 3, max(0, int(column) - 2) : int(column) + 3]
            return around.min((0, 1)), around.max((0, 1))
    return None


def check_scene(scene, image, grid, place):
    """The scene is regular, on Earth, and has the colours of the source where the source has them."""
    regular = scene.place.grid
    west, south, east, north = regular.bounds
    assert regular.is_regular
    assert min(scene.place.grid.shape) >= MIN_SIDE
    assert -180 <= west < 180
    assert west < east <= west + 360.001
    assert -90.001 <= south < north <= 90.001
    pixels, seen = read_all(scene)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*seen.shape, 3) == (*regular.shape, 3)
    assert not pixels[~seen].any()
    places = np.argwhere(seen)
    for row, column in places[:: max(1, len(places) // 5)] if len(places) else ():
        around = colours_around(image, grid, regular.longitude[column], regular.latitude[row])
        if around is not None:
            assert (pixels[row, column] >= around[0].astype(int) - 1).all(), place
            assert (pixels[row, column] <= around[1].astype(int) + 1).all(), place


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(grids(), st.sampled_from(["u1", "u1", "u1", "u2", "f4"]), st.sampled_from([3, 3, 3, 1, 2, 5]))
def test_rasters_of_any_grid_and_type(grid, dtype, count):
    image = draw_picture((max(2, grid.shape[0]), max(2, grid.shape[1])))[: grid.shape[0], : grid.shape[1]]
    bands = np.resize(image, (*grid.shape, count)) if count != 3 else image
    with tempfile.TemporaryDirectory() as folder:
        path = write_geotiff(Path(folder) / "a.tif", bands.astype(dtype), grid)
        try:
            scene = open_scene(path)
        except UserError:
            return
        assert (dtype, count) == ("u1", 3)
        check_scene(scene, image, grid, grid)
        scene.close()


@st.composite
def arrays(draw):
    """An array, and whether it must be readable."""
    shape = draw(st.tuples(st.integers(MIN_SIDE, 30), st.integers(MIN_SIDE, 30)))
    west, south = draw(st.integers(-180, 340)), draw(st.integers(-90, 80))
    grid = Grid.from_bounds((west, south, west + 3, south + 2), shape)
    names = draw(st.sampled_from([("latitude", "longitude"), ("lat", "lon"), ("y", "x")]))
    array = xr.DataArray(
        draw_picture(shape), dims=(*names, "band"), coords={names[0]: grid.latitude, names[1]: grid.longitude}
    )
    array = array.transpose(*draw(st.permutations(array.dims)))
    array = array[{name: slice(None, None, draw(st.sampled_from([1, -1]))) for name in names}]
    if draw(st.booleans()):
        array = array.chunk(dict(zip(names, draw(st.tuples(st.integers(3, 9), st.integers(3, 9))), strict=True)))
    if names == ("y", "x"):
        array = array.rio.write_crs("EPSG:4326")
    if draw(st.booleans()):
        array = array.assign_coords({names[1]: (array[names[1]] + 180) % 360 - 180})
    damage = draw(st.sampled_from(["", "", "", "nan", "uneven", "beyond", "bands"]))
    coordinate = array[names[0]].to_numpy().copy()
    if damage == "nan":
        coordinate[draw(st.integers(0, shape[0] - 1))] = np.nan
    elif damage == "uneven":
        coordinate[draw(st.integers(1, shape[0] - 2))] += 1 / shape[0]
    elif damage == "beyond":
        coordinate += 200
    array = array.assign_coords({names[0]: coordinate})
    return (array.isel(band=[0, 1]) if damage == "bands" else array), damage == ""


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(arrays())
def test_arrays_of_any_order(drawn):
    array, readable = drawn
    if not readable:
        with pytest.raises(UserError):
            open_scene(array)
        return
    scene = open_scene(array)
    grid = scene.place.grid
    pixels, seen = read_all(scene)
    assert seen.all()
    y, x = (
        next(name for name in names if name in array.dims)
        for names in (("latitude", "lat", "y"), ("longitude", "lon", "x"))
    )
    for row, column in ((0, 0), (grid.shape[0] - 1, 2), (3, grid.shape[1] - 1)):
        around = (array[x] - grid.longitude[column]).to_numpy() % 360
        position = int(np.minimum(around, 360 - around).argmin())
        expected = array.isel({x: position}).sel({y: grid.latitude[row]}, method="nearest")
        np.testing.assert_array_equal(pixels[row, column], expected.transpose("band").to_numpy())


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_tiffs(data):
    """Bytes of the header change, or the end is missing: pixels may differ, but only a UserError is raised."""
    image = draw_picture((40, 60))
    with tempfile.TemporaryDirectory() as folder:
        path = write_geotiff(Path(folder) / "a.tif", image, Grid.from_bounds(BOUNDS, (40, 60)), compress="deflate")
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(0, 4))):
            content[data.draw(st.integers(0, min(600, len(content) - 1)))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
        try:
            scene = open_scene(path)
            pixels, seen = scene.read(slice(0, 40), slice(0, 60))
        except UserError:
            return
        assert not pixels[~seen].any()
        scene.close()
