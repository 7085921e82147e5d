"""Arrays of xarray: axes, coordinates, bands, times; and that lazy arrays stay lazy."""

from datetime import datetime

import dask
import dask.array
import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401  (adds .rio)
import xarray as xr
from pyproj import CRS

from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import open_scene, open_scenes
from nephoscope.earth.reading.stretch import worldview
from nephoscope.errors import UserError
from tests.builders.placed_pictures import BOUNDS, SHAPE, draw_picture, read_all, to_array

GRID = Grid.from_bounds(BOUNDS, SHAPE)
IMAGE = draw_picture()
ARRAY = to_array(IMAGE)
IN_METRES = ARRAY.rename(latitude="y", longitude="x")


def assert_is_the_picture(scene):
    assert scene.place.grid == GRID
    pixels, seen = read_all(scene)
    np.testing.assert_array_equal(pixels, IMAGE)
    assert seen.all()


@pytest.mark.parametrize(
    "array",
    [
        ARRAY.transpose("band", "longitude", "latitude"),
        ARRAY.isel(latitude=slice(None, None, -1)),
        ARRAY.isel(longitude=slice(None, None, -1)),
        ARRAY.rename(latitude="lat", longitude="lon", band="bands"),
        ARRAY.rename(latitude="y", longitude="x").rio.write_crs("EPSG:4326"),
        ARRAY.assign_coords(longitude=ARRAY.longitude + 360),
        ARRAY.assign_coords(longitude=ARRAY.longitude.astype("f4"), latitude=ARRAY.latitude.astype("f4")),
        ARRAY.isel(band=[2, 0, 1]).assign_coords(band=["blue", "red", "green"]),
        ARRAY.isel(band=[2, 0, 1]).assign_coords(band=["B", "R", "G"]),
        ARRAY.isel(band=[2, 0, 1]).assign_coords(band=[0.47, 0.65, 0.55]),
        ARRAY.isel(band=[2, 0, 1, 0]).assign_coords(band=[488, 672, 555, 865]),
        ARRAY.isel(band=[2, 0, 1]).assign_attrs(long_name=("blue", "red", "green")),
        ARRAY.assign_coords(band=[1, 2, 3]),
        ARRAY.expand_dims(time=[pd.Timestamp("2020-01-01")], level=[0]),
        ARRAY.to_dataset(name="true_color").assign(other=ARRAY[..., 0]),
        ARRAY.to_dataset("band").rename({0: "red", 1: "green", 2: "blue"}),
    ],
)
def test_arrays_may_be_arranged_in_any_way(array):
    assert_is_the_picture(open_scene(array))


def test_axes_are_known_by_the_attributes_of_cf():
    array = ARRAY.rename(latitude="n", longitude="e")
    array["n"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
    array["e"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
    assert_is_the_picture(open_scene(array))


@pytest.mark.parametrize("west", [178.5, -1.5])
def test_longitudes_may_jump(west):
    """At the antimeridian, or at Greenwich where they run from 0 to 360."""
    grid = Grid.from_bounds((west, 10, west + 3, 12), SHAPE)
    longitude = (grid.longitude + 180) % 360 - 180 if west > 0 else grid.longitude % 360
    scene = open_scene(ARRAY.assign_coords(longitude=longitude))
    assert scene.place.grid.bounds == pytest.approx((west, 10, west + 3, 12))
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)


def test_rows_centred_on_a_pole_are_left_out():
    image = draw_picture((181, 360))
    array = xr.DataArray(
        image, dims=("lat", "lon", "band"), coords={"lat": np.arange(90, -91, -1.0), "lon": np.arange(0.5, 360)}
    )
    scene = open_scene(array)
    assert scene.place.grid.bounds == (0, -89.5, 360, 89.5)
    np.testing.assert_array_equal(read_all(scene)[0], image[1:-1])
    np.testing.assert_array_equal(read_all(open_scene(array[::-1]))[0], image[1:-1])


def test_what_was_not_seen_is_0():
    holed = IMAGE.copy()
    holed[2, 3] = 0
    opaque = np.where(holed[..., :1], 255, 0).astype(np.uint8)
    for array in (
        to_array(holed).assign_attrs(_FillValue=0),
        to_array(holed).rio.write_nodata(0),
        to_array(np.concatenate([IMAGE, opaque], 2)).assign_coords(band=list("RGBA")),
    ):
        pixels, seen = read_all(open_scene(array))
        assert np.argwhere(~seen).tolist() == [[2, 3]]
        assert not pixels[2, 3].any()


@pytest.mark.parametrize("fill", ["none", None, np.nan, []])
def test_fill_values_that_are_no_numbers_are_ignored(fill):
    assert_is_the_picture(open_scene(ARRAY.assign_attrs(_FillValue=fill)))
    levels = ARRAY.astype("f4")
    levels.encoding = {"dtype": "uint8", "_FillValue": fill}
    assert_is_the_picture(open_scene(levels))


def test_reflectances_are_stretched_and_named():
    reflectance = IMAGE / 255
    expected = worldview(reflectance)
    missing = reflectance.copy()
    missing[4, 5, 0] = np.nan
    for values, attributes in (
        (missing, {}),
        (missing.astype("f4") * 100, {"units": "%"}),
        (np.nan_to_num(np.round(missing * 20_000), nan=-1).astype("i2"), {"scale_factor": 5e-5, "_FillValue": -1}),
    ):
        scene = open_scene(to_array(values).assign_attrs(attributes))
        pixels, seen = read_all(scene)
        assert np.argwhere(~seen).tolist() == [[4, 5]]
        assert np.abs(pixels.astype(int) - expected)[seen].max() <= 1
        assert "Worldview" in scene.attributes["stretch"]


def test_what_satpy_enhanced_is_not_stretched_again():
    scene = open_scene(to_array(IMAGE / 255).assign_attrs(enhancement_history=[{"scale": 1}]))
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)


def test_scenes_of_satpy():
    """Dimensions (bands, y, x), a pyproj CRS as coordinate, start_time and platform_name as attributes."""
    array = ARRAY.rename(latitude="y", longitude="x", band="bands").transpose("bands", "y", "x")
    array = array.assign_coords(bands=["R", "G", "B"], crs=CRS("EPSG:4326")).assign_attrs(
        start_time=datetime(2020, 1, 2, 13, 30), platform_name="Suomi-NPP", sensor={"viirs"}
    )
    scene = open_scene(array)
    assert_is_the_picture(scene)
    assert scene.place.time == np.datetime64("2020-01-02T13:30")
    assert scene.place.sensor == "VIIRS SNPP"


def test_a_grid_mapping_of_cf_is_followed(tmp_path):
    grid = Grid.from_bounds((300_000, 2_000_000, 360_000, 2_040_000), SHAPE, "EPSG:32618")
    array = xr.DataArray(IMAGE, dims=("y", "x", "band"), coords={"y": grid.latitude, "x": grid.longitude})
    array.attrs["grid_mapping"] = "projection"
    dataset = array.to_dataset(name="rgb").assign(projection=xr.DataArray(0, attrs=CRS("EPSG:32618").to_cf()))
    dataset.to_netcdf(tmp_path / "a.nc")
    assert open_scene(tmp_path / "a.nc").place.source_grid == grid
    kilometres = array.assign_coords(
        y=("y", grid.latitude / 1000, {"units": "km"}), x=("x", grid.longitude / 1000, {"units": "km"})
    )
    assert open_scene(kilometres.rio.write_crs("EPSG:32618")).place.source_grid.transform == pytest.approx(
        grid.transform
    )


def test_every_time_of_a_stack_is_a_scene():
    times = pd.date_range("2020-01-01T13:30", periods=3)
    stack = xr.concat([ARRAY, ARRAY // 2, ARRAY // 4], pd.Index(times, name="time")).rename("clouds")
    scenes = list(open_scenes(stack))
    assert [scene.place.time for scene in scenes] == list(times.to_numpy().astype("M8[s]"))
    assert len({scene.name for scene in scenes}) == 3
    for scene, divisor in zip(scenes, (1, 2, 4), strict=True):
        np.testing.assert_array_equal(read_all(scene)[0], IMAGE // divisor)
    with pytest.raises(UserError, match=r"several times.*isel\(time=0\)"):
        open_scene(stack)
    with pytest.raises(UserError, match="3 times of its own"):
        list(open_scenes(stack, time="2020-01-01"))
    assert open_scene(stack.isel(time=1)).place.time == np.datetime64("2020-01-02T13:30")


class Untouchable:
    """A source for dask that counts what is read of it."""

    shape, dtype, ndim = (400, 600, 3), np.dtype(np.uint8), 3

    def __init__(self):
        self.image, self.read_rows = draw_picture(self.shape[:2]), 0

    def __getitem__(self, window):
        self.read_rows += len(range(*window[0].indices(400)))
        return self.image[window]


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_a_lazy_array_is_read_window_by_window(dtype):
    source = Untouchable()
    chunks = dask.array.from_array(source, chunks=(50, 600, 3), meta=np.empty((0, 0, 0), np.uint8)).astype(dtype)
    grid = Grid.from_bounds((-61, 10, -55, 14), (400, 600))
    coords = {"latitude": grid.latitude, "longitude": grid.longitude}
    array = xr.DataArray(
        chunks if dtype == "u1" else chunks / 255, dims=("latitude", "longitude", "band"), coords=coords
    )
    scene = open_scene(array)
    assert source.read_rows == 0
    assert scene.place.grid == grid
    if dtype == "u1":
        np.testing.assert_array_equal(scene.read(slice(60, 90), slice(5, 9))[0], source.image[60:90, 5:9])
        assert source.read_rows == 50
    else:
        scene.read(slice(60, 90), slice(5, 9))
        assert "Worldview" in scene.attributes["stretch"]


def test_files_are_read_window_by_window(tmp_path):
    chunks = {"rgb": {"chunks": (10, 60, 3)}}
    ARRAY.to_dataset(name="rgb").to_zarr(tmp_path / "a.zarr", encoding=chunks, zarr_format=2, consolidated=True)
    scene = open_scene(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/rgb/0.0.0").unlink()  # a missing chunk of Zarr holds the fill value
    np.testing.assert_array_equal(scene.read(slice(12, 20), slice(0, 60))[0], IMAGE[12:20])


def test_bounds_place_an_array_without_coordinates():
    bare = ARRAY.drop_vars(["latitude", "longitude"])
    with pytest.raises(UserError, match="no coordinates along latitude and longitude"):
        open_scene(bare)
    assert_is_the_picture(open_scene(bare, bounds=BOUNDS, time="2020-01-01"))
    with pytest.raises(UserError, match="square"):
        open_scene(bare, bounds=(0, 0, 3, 3))
    with pytest.raises(UserError, match="leave out the bounds"):
        open_scene(ARRAY, bounds=BOUNDS)


def uneven(values):
    values = values.copy()
    values[len(values) // 2 :] += 0.04
    return values


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (ARRAY.assign_coords(latitude=uneven(GRID.latitude)), "not evenly spaced"),
        (ARRAY.assign_coords(latitude=np.where(np.arange(40) == 7, np.nan, GRID.latitude)), "missing"),
        (ARRAY.assign_coords(latitude=np.zeros(40)), "not evenly spaced"),
        (ARRAY.assign_coords(latitude=GRID.latitude + 80), "latitudes from"),
        (ARRAY.assign_coords(longitude=GRID.longitude * 1e5), "longitudes from"),
        (ARRAY.assign_coords(latitude=[f"{value}N" for value in GRID.latitude]), "expected numbers"),
        (ARRAY.isel(latitude=[0]), "1×60 pixels"),
        (ARRAY[..., 0], "single band"),
        (ARRAY[..., [0, 0, 0, 0, 0]], "5 bands"),
        (IN_METRES, "without a coordinate reference system"),
        (ARRAY.rename(latitude="a", longitude="b"), "rename them"),
        (ARRAY.expand_dims(level=2), r"isel\(level=0\)"),
        (ARRAY.astype(bool), "bool"),
        (ARRAY.astype("M8[s]"), "datetime64"),
        (ARRAY.astype("i8"), "without a scale factor"),
        (ARRAY.astype("f4").assign_attrs(units="K"), "values in 'K'"),
        (ARRAY.astype("f4") - 200, "values from"),
        (ARRAY.astype("f4").assign_attrs(scale_factor="much"), "scale_factor"),
        (IN_METRES.assign_coords(spatial_ref=xr.DataArray(0, attrs={"crs_wkt": "PROJCS[nonsense"})), "cannot be read"),
        (ARRAY.to_dataset(name="a").assign(b=ARRAY), r"variables a\(.*pass the right one"),
        (ARRAY[..., 0].to_dataset(name="a"), "variables a"),
        (xr.Dataset(), "variables none"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_rightly_is_refused(array, message):
    with pytest.raises(UserError, match=message):
        open_scene(array)


def with_meshes(latitude, longitude):
    meshes = {"lat": (("y", "x"), latitude), "lon": (("y", "x"), longitude)}
    return xr.DataArray(IMAGE, dims=("y", "x", "band"), coords=meshes)


def test_two_dimensional_coordinates_must_describe_a_regular_grid():
    latitude, longitude = np.meshgrid(GRID.latitude, GRID.longitude, indexing="ij")
    assert_is_the_picture(open_scene(with_meshes(latitude, longitude)))
    with pytest.raises(UserError, match="resample it first"):
        open_scene(with_meshes(latitude + 0.3 * np.sin(longitude), longitude))
