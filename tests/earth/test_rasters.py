"""GeoTIFFs: bands, masks, ranges, places, and files that must be refused."""

from concurrent.futures import ThreadPoolExecutor

import fsspec
import numpy as np
import pytest
import rasterio
import rioxarray
from affine import Affine
from rasterio.enums import ColorInterp

from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import open_scene
from nephoscope.earth.reading.stretch import worldview
from nephoscope.errors import UserError
from tests.builders.placed_pictures import BOUNDS, SHAPE, draw_picture, read_all, to_array, write_geotiff

GRID = Grid.from_bounds(BOUNDS, SHAPE)
IMAGE = draw_picture()
HOLE = np.ones(SHAPE, bool)
HOLE[5:15, 20:40] = False

RIOXARRAY = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
"""rioxarray multiplies transforms in the old way."""


def test_nodata_alpha_and_mask_say_what_was_seen(tmp_path):
    holed = np.where(HOLE[..., None], IMAGE, 7).astype(np.uint8)
    sources = (
        write_geotiff(tmp_path / "nodata.tif", holed, GRID, nodata=7),
        write_geotiff(tmp_path / "alpha.tif", holed, GRID, alpha=HOLE),
        write_geotiff(tmp_path / "mask.tif", holed, GRID, mask=HOLE),
    )
    for source in sources:
        pixels, seen = read_all(open_scene(source))
        np.testing.assert_array_equal(seen, HOLE)
        np.testing.assert_array_equal(pixels, np.where(HOLE[..., None], IMAGE, 0))


def test_a_colour_with_one_level_at_nodata_was_seen(tmp_path):
    image = IMAGE.copy()
    image[3, 3], image[4, 4] = (0, 60, 90), (0, 0, 0)
    pixels, seen = read_all(open_scene(write_geotiff(tmp_path / "a.tif", image, GRID, nodata=0)))
    assert (~seen).nonzero() == (np.array([4]), np.array([4]))
    assert pixels[3, 3].tolist() == [0, 60, 90]


def test_colour_interpretation_decides_the_order(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", IMAGE[..., ::-1], GRID, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    np.testing.assert_array_equal(read_all(open_scene(path))[0], IMAGE)


def test_names_of_bands_decide_the_order(tmp_path):
    bands = np.concatenate([np.full((*SHAPE, 1), 9, np.uint8), IMAGE[..., ::-1]], axis=2)
    path = write_geotiff(tmp_path / "a.tif", bands, GRID, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("near infrared", "B3 blue", "B4 green", "B1 red")
    np.testing.assert_array_equal(read_all(open_scene(path))[0], IMAGE)


@pytest.mark.parametrize(
    ("count", "message"), [(1, "single band"), (2, "2 bands"), (7, "7 bands.*gdal_translate -b 1")]
)
def test_other_numbers_of_bands_are_refused(tmp_path, count, message):
    path = write_geotiff(tmp_path / "a.tif", np.repeat(IMAGE[..., :1], count, axis=2), GRID)
    with pytest.raises(UserError, match=message):
        open_scene(path)


def test_reflectances_are_stretched_like_worldview_and_the_scene_says_so(tmp_path):
    reflectance = IMAGE.astype(np.float32) / 255
    expected = worldview(reflectance.astype(np.float64))
    in_integers = np.round(reflectance * 10_000).astype(np.uint16)
    path = write_geotiff(tmp_path / "integers.tif", in_integers, GRID)
    with rasterio.open(path, "r+") as file:
        file.scales = (1e-4,) * 3
    percent = write_geotiff(tmp_path / "percent.tif", reflectance * 100, GRID)
    with rasterio.open(percent, "r+") as file:
        file.units = ("%",) * 3
    for source in (write_geotiff(tmp_path / "floats.tif", reflectance, GRID), path, percent):
        scene = open_scene(source)
        pixels, seen = read_all(scene)
        assert seen.all()
        assert np.abs(pixels.astype(int) - expected).max() <= 1
        assert "like Worldview's true colour" in scene.attributes["stretch"]


def test_the_curve_is_worldviews():
    levels = np.array([0, 30, 60, 120, 190, 255])
    assert worldview(levels / 255 * 1.11 - 0.01).tolist() == [0, 110, 160, 210, 240, 255]


def test_missing_reflectances_were_not_seen(tmp_path):
    reflectance = IMAGE.astype(np.float32) / 255
    reflectance[0, 0, 1], reflectance[1, 1] = np.nan, -9999
    pixels, seen = read_all(open_scene(write_geotiff(tmp_path / "a.tif", reflectance, GRID, nodata=-9999)))
    assert np.argwhere(~seen).tolist() == [[0, 0], [1, 1]]
    assert not pixels[~seen].any()


def test_16_bit_colour_is_scaled_linearly(tmp_path):
    scene = open_scene(write_geotiff(tmp_path / "a.tif", IMAGE.astype(np.uint16) * 257, GRID, photometric="RGB"))
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)
    assert "65535" in scene.attributes["stretch"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (IMAGE.astype(np.uint16) * 30, "without a scale factor.*gdal_edit.py -scale"),
        (IMAGE.astype(np.int16), "without a scale factor"),
        (IMAGE.astype(np.float32), "reflectances of 0 to about 1.2.*units"),
        (IMAGE.astype(np.float32) / 2.55, "units '1'"),
        (IMAGE.astype(np.complex64), "complex64"),
    ],
)
def test_ambiguous_ranges_are_refused(tmp_path, values, message):
    with pytest.raises(UserError, match=message):
        open_scene(write_geotiff(tmp_path / "a.tif", values, GRID))


def test_a_reflectance_that_cannot_be_is_refused_when_it_is_read(tmp_path):
    large = np.zeros((1200, 1200, 3), np.float32)
    large[100, 100] = 57  # between the samples
    scene = open_scene(write_geotiff(tmp_path / "a.tif", large, Grid.from_bounds((0, 0, 12, 12), (1200, 1200))))
    scene.read(slice(500, 600), slice(500, 600))
    with pytest.raises(UserError, match="a reflectance of 57"):
        scene.read(slice(90, 110), slice(90, 110))


@pytest.mark.parametrize(("a", "e"), [(1, 1), (-1, -1), (-1, 1)])
def test_rasters_may_run_in_any_direction(tmp_path, a, e):
    west, south, east, north = BOUNDS
    transform = (0.05 * a, 0, west if a > 0 else east, 0, 0.05 * e, north if e < 0 else south)
    turned = IMAGE[:: 1 if e < 0 else -1, :: 1 if a > 0 else -1]
    scene = open_scene(write_geotiff(tmp_path / "a.tif", turned, Grid("EPSG:4326", transform, SHAPE)))
    assert scene.place.grid == GRID
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)
    np.testing.assert_array_equal(scene.read(slice(3, 9), slice(50, 58))[0], IMAGE[3:9, 50:58])


def test_longitudes_of_0_to_360_are_turned(tmp_path):
    scene = open_scene(write_geotiff(tmp_path / "a.tif", IMAGE, Grid.from_bounds((299, 10, 302, 12), SHAPE)))
    assert scene.place.grid == GRID


def test_other_datums_count_as_longitude_and_latitude(tmp_path):
    scene = open_scene(write_geotiff(tmp_path / "a.tif", IMAGE, Grid.from_bounds(BOUNDS, SHAPE, "EPSG:4269")))
    assert scene.place.grid == GRID
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)


def test_bounds_place_a_tiff_without_a_place_only(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", IMAGE)
    with pytest.raises(UserError, match=r"without a coordinate reference system.*--bounds"):
        open_scene(path)
    assert open_scene(path, bounds=BOUNDS).place.grid == GRID
    with pytest.raises(UserError, match="square"):
        open_scene(path, bounds=(-61, 10, -58, 30))
    with pytest.raises(UserError, match="leave out the bounds"):
        open_scene(write_geotiff(tmp_path / "b.tif", IMAGE, GRID), bounds=BOUNDS)


@pytest.mark.parametrize(
    ("crs", "bounds", "message"),
    [
        ("EPSG:4326", (400_000, 2_000_000, 430_000, 2_020_000), "latitudes from"),
        ("EPSG:4326", (-61, 85, -58, 95), "latitudes from 85 to 95"),
        ("EPSG:4326", (600, 10, 603, 12), "longitudes from 600"),
        ("EPSG:32618", (-61, 10, -58, 12), "reference system is wrong"),
        ("EPSG:32618", (3e8, 2e6, 3.3e8, 3e6), "reference system is wrong"),
        ('LOCAL_CS["plan",UNIT["metre",1]]', (0, 0, 3, 2), "no place on Earth"),
    ],
)
def test_wrong_coordinate_reference_systems_are_refused(tmp_path, crs, bounds, message):
    with pytest.raises(UserError, match=message):
        open_scene(write_geotiff(tmp_path / "a.tif", IMAGE, Grid.from_bounds(bounds, SHAPE, crs)))


def test_tags_and_names_tell_time_and_sensor(tmp_path):
    path = write_geotiff(tmp_path / "VIIRS_NOAA20_2021-03-04T1330.tif", IMAGE, GRID)
    place = open_scene(path).place
    assert (place.time, place.sensor) == (np.datetime64("2021-03-04T13:30"), "VIIRS NOAA-20")
    with rasterio.open(path, "r+") as file:
        file.update_tags(time_coverage_start="2022-01-01T12:00:00+02:00", platform="Suomi-NPP", sensor="viirs")
    place = open_scene(path).place
    assert (place.time, place.sensor) == (np.datetime64("2022-01-01T10:00"), "VIIRS SNPP")
    assert open_scene(path, time="2020-01-01").place.time == np.datetime64("2020-01-01")


@pytest.mark.parametrize("kept", [0, 10, 300, 0.5, 0.97])
def test_truncated_files_are_refused_at_once(tmp_path, kept):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    grid = Grid.from_bounds((0, 0, 3, 2), (200, 300))
    path = write_geotiff(tmp_path / "a.tif", noise, grid, compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(UserError, match="complete TIFF"):
        open_scene(path)


def test_small_and_huge_rasters_are_refused(tmp_path):
    with pytest.raises(UserError, match="1×1 pixels"):
        open_scene(write_geotiff(tmp_path / "a.tif", IMAGE[:1, :1], Grid.from_bounds((0, 0, 1, 1), (1, 1))))
    place = {"crs": "EPSG:4326", "transform": Affine(0.001, 0, 0, 0, -0.001, 90)}
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "sparse_ok": True, "tiled": True, **place}
    with rasterio.open(tmp_path / "b.tif", "w", width=200_000, height=100_000, **profile):
        pass
    with pytest.raises(UserError, match="100000×200000 pixels; at most"):
        open_scene(tmp_path / "b.tif")
    with rasterio.open(
        tmp_path / "c.tif", "w", width=20_000, height=20_000, blockxsize=20_000, blockysize=20_000, **profile
    ):
        pass
    with pytest.raises(UserError, match="stored in blocks of 20000×20000×3"):
        open_scene(tmp_path / "c.tif")


def test_only_tiffs_are_opened(tmp_path):
    """A VRT could make GDAL open any other file or address."""
    path = write_geotiff(tmp_path / "inner.tif", IMAGE, GRID)
    with rasterio.open(path) as file, rasterio.vrt.WarpedVRT(file, crs="EPSG:4326"):
        content = '<VRTDataset rasterXSize="60" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        content += f"<SourceFilename>{path}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    (tmp_path / "outer.tif").write_text(content)
    with pytest.raises(UserError, match="GeoTIFF"):
        open_scene(tmp_path / "outer.tif")
    for name in ("/vsicurl/http://127.0.0.1:9/a.tif", "GTIFF_DIR:1:a.tif", str(tmp_path / "missing.tif")):
        with pytest.raises(UserError, match=r"no such file|Protocol not known"):
            open_scene(name)


def test_remote_files_are_read_through_fsspec(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", IMAGE, GRID, compress="deflate")
    fsspec.filesystem("memory").pipe_file("/rasters/a.tif", path.read_bytes())
    scene = open_scene("memory://rasters/a.tif")
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)
    scene.close()
    with pytest.raises(UserError, match=r"memory://rasters/b\.tif"):
        open_scene("memory://rasters/b.tif")


def test_threads_may_read_one_scene(tmp_path):
    image = draw_picture((200, 300))
    scene = open_scene(write_geotiff(tmp_path / "a.tif", image, Grid.from_bounds((0, 0, 3, 2), (200, 300)), tiled=True))
    windows = [
        (slice(top, top + 50), slice(left, left + 60)) for top in range(0, 150, 10) for left in range(0, 240, 20)
    ]
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(lambda window: scene.read(*window)[0], windows))
    for window, part in zip(windows, parts, strict=True):
        np.testing.assert_array_equal(part, image[window])


@RIOXARRAY
def test_rioxarray_reads_the_same(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", np.where(HOLE[..., None], IMAGE, 0).astype(np.uint8), GRID, nodata=0)
    expected = read_all(open_scene(path))
    for masked in (False, True):
        with rioxarray.open_rasterio(path, masked=masked) as array:
            scene = open_scene(array)
            assert scene.place.grid == GRID
            for ours, theirs in zip(read_all(scene), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


@RIOXARRAY
def test_a_raster_from_rioxarray_on_the_way_out(tmp_path):
    array = to_array(IMAGE, y="y", x="x").transpose("band", "y", "x").rio.write_crs("EPSG:4326")
    array.rio.to_raster(tmp_path / "a.tif")
    scene = open_scene(tmp_path / "a.tif")
    assert scene.place.grid == GRID
    np.testing.assert_array_equal(read_all(scene)[0], IMAGE)
