"""One picture in every kind of file: the same pixels, place and time."""

import cv2
import numpy as np
import pytest

from nephoscope.data.images import decode_image
from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import is_scene, open_scene, open_scenes
from nephoscope.errors import UserError
from tests.builders.placed_pictures import (
    BOUNDS,
    NAME,
    SHAPE,
    draw_picture,
    read_all,
    to_array,
    write_geotiff,
    write_picture,
)


def write_jpeg(folder, ending=".jpeg", name=NAME):
    """A JPEG and its pixels."""
    path = write_picture(folder / f"{name}{ending}", draw_picture())
    return path, decode_image(path.read_bytes())


def write_world_file(path, west=-61.0, north=12.0, cell=0.05):
    path.write_text(f"{cell}\n0.0\n0.0\n{-cell}\n{west + cell / 2}\n{north - cell / 2}\n")


def copies(folder, image):
    """Lossless copies in files and arrays."""
    array = to_array(image)
    yield write_picture(folder / f"{NAME}.png", image)
    yield write_geotiff(folder / "a.tif", image, Grid.from_bounds(BOUNDS, SHAPE), compress="deflate")
    array.to_dataset(name="rgb").to_netcdf(folder / "a.nc")
    yield folder / "a.nc"
    for version in (2, 3):
        array.to_dataset(name="rgb").to_zarr(folder / f"a{version}.zarr", zarr_format=version, consolidated=False)
        yield folder / f"a{version}.zarr"
    yield array
    yield array.chunk(latitude=13, longitude=17)
    yield array.to_dataset(name="rgb")


def test_every_kind_of_source_gives_the_same_pixels_and_place(tmp_path):
    path, image = write_jpeg(tmp_path)
    scene = open_scene(path)
    assert scene.place.grid == Grid.from_bounds(BOUNDS, SHAPE)
    assert scene.place.time == np.datetime64("2008-01-20")
    assert scene.place.sensor == "MODIS Aqua"
    assert scene.name == path.name
    np.testing.assert_array_equal(read_all(scene)[0], image)
    for source in copies(tmp_path, image):
        copy = open_scene(source, time="2008-01-20T00:00")
        assert copy.place.grid == scene.place.grid, source
        assert copy.place.time == scene.place.time
        assert copy.place.source_grid is None
        assert copy.place.source_cell == pytest.approx(0.05)
        for window in ((slice(0, 40), slice(0, 60)), (slice(7, 19), slice(33, 60)), (slice(39, 40), slice(0, 1))):
            pixels, seen = copy.read(*window)
            np.testing.assert_array_equal(pixels, image[window])
            assert seen.all()
        copy.close()


def test_a_plain_picture_is_no_scene(tmp_path):
    path, _ = write_jpeg(tmp_path, name="0011165")
    assert not is_scene(str(path))
    assert open_scene(path) is None
    assert open_scene(path, time="2020-01-01") is None
    assert list(open_scenes(path)) == []


def test_names_alone_say_what_is_a_scene(tmp_path):
    assert is_scene("s3://bucket/a.tif")
    assert is_scene("a.nc")
    assert is_scene("years.zarr/")
    assert is_scene(f"https://example.org/{NAME}.jpeg")
    assert is_scene("plain.jpg", BOUNDS)
    assert not is_scene("notes.txt")
    assert not is_scene(str(tmp_path / "plain.png"))
    write_world_file(tmp_path / "plain.pgw")
    assert is_scene(str(tmp_path / "plain.png"))


@pytest.mark.parametrize("ending", [".jgw", ".JGW", ".jpgw", ".wld"])
def test_a_world_file_places_a_picture(tmp_path, ending):
    path, image = write_jpeg(tmp_path, ".jpg", "snapshot-2020-01-31T00_00_00Z")
    write_world_file(path.with_suffix(ending))
    scene = open_scene(path)
    assert scene.place.grid == Grid.from_bounds(BOUNDS, SHAPE)
    assert scene.place.time == np.datetime64("2020-01-31")
    np.testing.assert_array_equal(read_all(scene)[0], image)


def test_stated_bounds_win_over_world_file_and_name(tmp_path):
    path, _ = write_jpeg(tmp_path, ".jpg")
    write_world_file(path.with_suffix(".jgw"), west=100)
    assert open_scene(path).place.grid.bounds == pytest.approx((100, 10, 103, 12))
    scene = open_scene(path, bounds="170,-5,173,-3", time="2021-05-06")
    assert scene.place.grid == Grid.from_bounds((170, -5, 173, -3), SHAPE)
    assert scene.place.time == np.datetime64("2021-05-06")


def test_bounds_may_cross_the_antimeridian(tmp_path):
    path, _ = write_jpeg(tmp_path, name="plain")
    scene = open_scene(path, bounds=(178.5, 0, -178.5, 2))
    assert scene.place.grid.bounds == pytest.approx((178.5, 0, 181.5, 2))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ("-61,10,-40", "four numbers"),
        ("a,b,c,d", "four numbers"),
        ((-61, 10, float("nan"), 12), "four numbers"),
        ((-61, 12, -58, 10), "south < north"),
        ((-61, 80, -58, 95), "90"),
        ((-500, 10, -497, 12), "longitudes"),
        ((-61, 10, -61, 12), "west different from east"),
        ((-61, 10, -58, 13), "square pixels"),
    ],
)
def test_bounds_that_cannot_be_are_refused(tmp_path, bounds, message):
    path, _ = write_jpeg(tmp_path, name="plain")
    with pytest.raises(UserError, match=message):
        open_scene(path, bounds=bounds)


def test_a_name_that_contradicts_the_shape_is_refused(tmp_path):
    path, _ = write_jpeg(tmp_path, name="20080120_-61--58_10-16")
    with pytest.raises(UserError, match=r"60×40 pixels.* for bounds 3° wide and 6° high"):
        open_scene(path)


def test_a_world_file_in_metres_needs_a_projection(tmp_path):
    path, _ = write_jpeg(tmp_path, ".jpg", "plain")
    write_world_file(path.with_suffix(".jgw"), west=400_000, north=2_600_000, cell=5000)
    with pytest.raises(UserError, match="if these are metres"):
        open_scene(path)
    path.with_suffix(".prj").write_text("EPSG:32618")
    scene = open_scene(path)
    assert scene.place.source_grid.crs == "EPSG:32618"
    assert read_all(scene)[1].mean() > 0.9


@pytest.mark.parametrize("content", ["", "1 2 3", "0 0 0 0 0 0", "a b c d e f", "nan 0 0 -1 0 0", "9" * 200_000])
def test_a_damaged_world_file_is_refused(tmp_path, content):
    path, _ = write_jpeg(tmp_path, ".jpg", "plain")
    path.with_suffix(".jgw").write_text(content)
    with pytest.raises(UserError, match=r"plain\.jgw"):
        open_scene(path)


def test_damaged_and_missing_pictures_are_refused(tmp_path):
    path, _ = write_jpeg(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=NAME):
        open_scene(path)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        open_scene(path)


def test_remote_pictures_have_world_files_too(tmp_path):
    import fsspec

    files = fsspec.filesystem("memory")
    image = draw_picture()
    files.pipe_file("/remote/a.png", cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    write_world_file(tmp_path / "a.pgw")
    files.pipe_file("/remote/a.pgw", (tmp_path / "a.pgw").read_bytes())
    scene = open_scene("memory://remote/a.png")
    assert scene.place.grid == Grid.from_bounds(BOUNDS, SHAPE)
    np.testing.assert_array_equal(read_all(scene)[0], image)


def test_other_sources_are_refused(tmp_path):
    with pytest.raises(UserError, match="convert it"):
        open_scene(tmp_path / "a.hdf")
    with pytest.raises(UserError, match=r"xarray\.DataArray"):
        open_scene(draw_picture())
    with pytest.raises(UserError, match="ISO 8601"):
        open_scene(tmp_path / f"{NAME}.png", time="yesterday")
