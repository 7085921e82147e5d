"""NetCDF files and Zarr stores: what is read, closed, and refused."""

import json

import fsspec
import netCDF4
import numcodecs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import open_scene, open_scenes
from nephoscope.errors import UserError
from tests.builders.placed_pictures import BOUNDS, SHAPE, draw_picture, read_all, to_array

GRID = Grid.from_bounds(BOUNDS, SHAPE)
IMAGE = draw_picture()
DATASET = to_array(IMAGE).to_dataset(name="rgb")


def test_packed_values_and_coordinates_are_decoded(tmp_path):
    """Bands as 16-bit integers with a scale factor, coordinates too, fill values where nothing was seen."""
    reflectance = to_array(IMAGE / 255)
    reflectance[3, 4] = np.nan
    packed = {"dtype": "i2", "scale_factor": 1e-4, "_FillValue": -32768, "zlib": True}
    axis = {"dtype": "i2", "scale_factor": 0.005, "_FillValue": None}
    reflectance.to_dataset(name="rgb").to_netcdf(
        tmp_path / "a.nc", encoding={"rgb": packed, "latitude": axis, "longitude": axis}
    )
    scene = open_scene(tmp_path / "a.nc")
    assert scene.place.grid == GRID
    expected, _ = read_all(open_scene(reflectance))
    pixels, seen = read_all(scene)
    assert np.argwhere(~seen).tolist() == [[3, 4]]
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_8_bits_with_a_fill_value_stay_8_bits(tmp_path):
    holed = IMAGE.copy()
    holed[2, 3], holed[5, 6] = 255, (255, 9, 9)
    dataset = to_array(holed).to_dataset(name="rgb")
    dataset.to_netcdf(tmp_path / "a.nc", encoding={"rgb": {"_FillValue": 255}})
    dataset.to_zarr(tmp_path / "a.zarr", encoding={"rgb": {"_FillValue": 255}}, zarr_format=2, consolidated=False)
    for name in ("a.nc", "a.zarr"):
        pixels, seen = read_all(open_scene(tmp_path / name))
        assert np.argwhere(~seen).tolist() == [[2, 3]]
        assert pixels[5, 6].tolist() == [255, 9, 9]
        np.testing.assert_array_equal(pixels[seen], holed[seen])


def test_colours_may_be_variables(tmp_path):
    apart = to_array(IMAGE).to_dataset("band").rename({0: "B04_red", 1: "B03_green", 2: "B02_blue"})
    apart.to_netcdf(tmp_path / "a.nc")
    np.testing.assert_array_equal(read_all(open_scene(tmp_path / "a.nc"))[0], IMAGE)


def test_the_times_of_a_file_are_scenes(tmp_path):
    times = pd.date_range("2020-01-01T13:30", periods=3, name="time")
    stack = xr.concat([DATASET, DATASET // 2, DATASET // 4], times)
    stack.to_netcdf(tmp_path / "a.nc")
    scenes = list(open_scenes(tmp_path / "a.nc"))
    assert [str(scene.place.time) for scene in scenes] == [f"2020-01-0{day}T13:30:00" for day in (1, 2, 3)]
    scenes[0].close()
    scenes[0].close()
    np.testing.assert_array_equal(read_all(scenes[2])[0], IMAGE // 4)
    for scene in scenes:
        scene.close()
    with pytest.raises(UserError, match="several times"):
        open_scene(tmp_path / "a.nc")


def test_attributes_of_the_file_describe_the_scene(tmp_path):
    DATASET.assign_attrs(platform="Terra", time_coverage_start="2020-05-06T10:00:00Z").to_netcdf(tmp_path / "a.nc")
    scene = open_scene(tmp_path / "a.nc")
    assert scene.place.sensor == "MODIS Terra"
    assert scene.place.time == np.datetime64("2020-05-06T10:00")
    assert scene.attributes["platform"] == "Terra"


def test_remote_files_and_stores_are_read(tmp_path):
    DATASET.to_netcdf(tmp_path / "a.nc")
    files = fsspec.filesystem("memory")
    files.pipe_file("/stores/a.nc", (tmp_path / "a.nc").read_bytes())
    DATASET.to_zarr("memory://stores/a.zarr", zarr_format=3, consolidated=False)
    for name in ("a.nc", "a.zarr"):
        scene = open_scene(f"memory://stores/{name}")
        np.testing.assert_array_equal(read_all(scene)[0], IMAGE)
        scene.close()


class Exploding:
    """Unpickling it would fail the test."""

    def __reduce__(self):
        return pytest.fail, ("a file was unpickled",)


@pytest.mark.parametrize("codec", [numcodecs.Pickle(), numcodecs.Base64()])
def test_only_known_codecs_are_run(tmp_path, codec):
    DATASET.to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    metadata = tmp_path / "a.zarr/latitude/.zarray"
    stored = json.loads(metadata.read_text())
    stored |= {"filters": None, "compressor": codec.get_config()}
    metadata.write_text(json.dumps(stored))
    (tmp_path / "a.zarr/latitude/0").write_bytes(numcodecs.Pickle().encode(np.array([Exploding()], object)))
    with pytest.raises(UserError, match=rf"codec {codec.codec_id}, which|object_codec_id"):
        open_scene(tmp_path / "a.zarr")


def test_missing_damaged_and_empty_files_are_refused(tmp_path):
    DATASET.to_netcdf(tmp_path / "a.nc")
    content = (tmp_path / "a.nc").read_bytes()
    for kept in (0, 100, len(content) // 2, len(content) - 10):
        (tmp_path / "b.nc").write_bytes(content[:kept])
        with pytest.raises(UserError, match=r"b\.nc"):
            open_scene(tmp_path / "b.nc")
    (tmp_path / "empty.zarr").mkdir()
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    for name in ("missing.nc", "missing.zarr", "empty.zarr", "group.zarr"):
        with pytest.raises(UserError, match=name):
            open_scene(tmp_path / name)


def test_a_damaged_chunk_is_refused_when_it_is_read(tmp_path):
    DATASET.to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False, encoding={"rgb": {"chunks": (10, 60, 3)}})
    scene = open_scene(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/rgb/2.0.0").write_bytes(b"damaged")
    scene.read(slice(0, 20), slice(0, 60))
    with pytest.raises(UserError, match="cannot be read"):
        scene.read(slice(15, 25), slice(0, 60))


def test_a_file_without_coordinates_is_refused_or_placed_by_bounds(tmp_path):
    DATASET.drop_vars(["latitude", "longitude"]).to_netcdf(tmp_path / "a.nc")
    with pytest.raises(UserError, match="no coordinates"):
        open_scene(tmp_path / "a.nc")
    assert open_scene(tmp_path / "a.nc", bounds=BOUNDS).place.grid == GRID


def test_huge_chunks_are_refused(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name, size in (("lat", 20_000), ("lon", 40_000), ("band", 3)):
            file.createDimension(name, size)
        file.createVariable("rgb", "u1", ("lat", "lon", "band"), zlib=True, chunksizes=(20_000, 40_000, 3))
    with pytest.raises(UserError, match="stored in blocks of 20000×40000×3"):
        open_scene(tmp_path / "a.nc", bounds=(0, 0, 40, 20))
