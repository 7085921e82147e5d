"""Other grids than longitude and latitude, compared with GDAL's own WarpedVRT."""

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (adds .rio)
import xarray as xr
from affine import Affine
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform

from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import open_scene
from nephoscope.errors import UserError
from tests.builders.placed_pictures import draw_picture, read_all, write_geotiff

SHAPE = (90, 140)
UTM = Grid.from_bounds((300_000, 2_000_000, 440_000, 2_090_000), SHAPE, "EPSG:32618")
GEOSTATIONARY = "+proj=geos +lon_0=-75 +h=35786023 +ellps=GRS80 +sweep=x +units=m"
MERIDIAN = Grid.from_bounds((100_000, 9_000_000, 240_000, 9_090_000), SHAPE, "EPSG:32701")
"""Zone 1 begins at the antimeridian, and this box reaches beyond it."""
TURNED = Grid(
    "EPSG:4326", tuple(Affine.translation(-60, 15) @ Affine.rotation(20) @ Affine.scale(0.05, -0.05))[:6], SHAPE
)


def warp_with_gdal(path, grid):
    """Pixels and the pixels seen on this grid."""
    options = {"crs": grid.crs, "transform": Affine(*grid.transform), "height": grid.shape[0], "width": grid.shape[1]}
    with rasterio.open(path) as file, WarpedVRT(
        file, resampling=Resampling.bilinear, add_alpha=True, tolerance=0.01, XSCALE=1, YSCALE=1, **options
    ) as warped:  # fmt: skip
        bands = warped.read()
    return np.moveaxis(bands[:3], 0, 2), bands[3] >= 128


@pytest.mark.parametrize("grid", [UTM, TURNED, Grid.from_bounds((-7e6, 1e6, -6.86e6, 1.09e6), SHAPE, "EPSG:3857")])
def test_a_file_is_reprojected_as_gdal_does(tmp_path, grid):
    path = write_geotiff(tmp_path / "a.tif", draw_picture(SHAPE), grid)
    scene = open_scene(path)
    assert scene.place.source_grid == grid
    assert scene.place.grid.is_regular
    pixels, seen = read_all(scene)
    expected, expected_seen = warp_with_gdal(path, scene.place.grid)
    assert (seen == expected_seen).mean() > 0.998
    both = seen & expected_seen
    assert both.mean() > 0.5
    assert np.abs(pixels.astype(int) - expected)[both].mean() < 0.3
    assert not pixels[~seen].any()
    assert "reprojection" in scene.attributes


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
def test_the_target_grid_is_gdals(tmp_path):
    scene = open_scene(write_geotiff(tmp_path / "a.tif", draw_picture(SHAPE), UTM))
    transform, width, height = calculate_default_transform(UTM.crs, "EPSG:4326", SHAPE[1], SHAPE[0], *UTM.bounds)
    assert scene.place.grid.shape == (height, width)
    assert scene.place.grid.transform == pytest.approx(tuple(transform)[:6], rel=1e-4)
    assert scene.place.source_cell == pytest.approx(1000 / 111_195, rel=0.01)


@pytest.mark.parametrize("grid", [UTM, TURNED, MERIDIAN])
def test_windows_are_parts_of_the_whole(tmp_path, grid, monkeypatch):
    scene = open_scene(write_geotiff(tmp_path / "a.tif", draw_picture(SHAPE), grid))
    pixels, seen = read_all(scene)
    monkeypatch.setattr("nephoscope.earth.reading.reprojection.BLOCK", 16)
    monkeypatch.setattr("nephoscope.earth.reading.reprojection.MOST_SOURCE_PIXELS", 400)
    window = slice(20, 70), slice(33, 101)
    part, part_seen = scene.read(*window)
    assert (part_seen == seen[window]).mean() > 0.999
    difference = np.abs(part.astype(int) - pixels[window])
    assert difference[part_seen & seen[window]].max() <= 3
    assert difference.mean() < 0.7


def test_nodata_is_kept_and_does_not_bleed(tmp_path):
    image = np.full((*SHAPE, 3), 200, np.uint8)
    image[30:60, 50:90] = 0
    scene = open_scene(write_geotiff(tmp_path / "a.tif", image, UTM, nodata=0))
    pixels, seen = read_all(scene)
    assert set(np.unique(pixels[seen])) == {200}
    assert (~seen).sum() > 30 * 40
    row, column = (size // 2 for size in seen.shape)
    assert not seen[row, column]
    assert not seen[0, 0]  # outside the source


def test_an_array_is_reprojected_as_a_file_is(tmp_path):
    image = draw_picture(SHAPE)
    file = open_scene(write_geotiff(tmp_path / "a.tif", image, UTM))
    array = xr.DataArray(image, dims=("y", "x", "band"), coords={"y": UTM.latitude, "x": UTM.longitude})
    for variant in (array, array.isel(y=slice(None, None, -1)), array.chunk(x=31).transpose("band", "x", "y")):
        scene = open_scene(variant.rio.write_crs(UTM.crs))
        assert scene.place.grid == file.place.grid
        pixels, seen = read_all(scene)
        assert (seen == read_all(file)[1]).mean() > 0.999
        assert np.abs(pixels.astype(int) - read_all(file)[0])[seen].max() <= 3


def full_disc(side=120):
    edge = 5_500_000.0
    return Grid.from_bounds((-edge, -edge, edge, edge), (side, side), GEOSTATIONARY)


def test_a_full_disc_ends_where_the_earth_ends(tmp_path):
    """Its corners are in space, which has no longitude."""
    path = write_geotiff(tmp_path / "a.tif", np.full((120, 120, 3), 90, np.uint8), full_disc())
    scene = open_scene(path)
    west, south, east, north = scene.place.grid.bounds
    assert -157 < west < -140
    assert -10 < east < 7
    assert -82 < south < -70
    assert 70 < north < 82
    pixels, seen = read_all(scene)
    assert not seen[0, 0]
    assert seen[seen.shape[0] // 2, seen.shape[1] // 2]
    assert set(np.unique(pixels)) == {0, 90}
    expected = warp_with_gdal(path, scene.place.grid)[1]
    assert (seen == expected).mean() > 0.98


def test_geostationary_coordinates_may_be_angles():
    grid = full_disc()
    array = xr.DataArray(
        draw_picture((120, 120)),
        dims=("y", "x", "band"),
        coords={
            "y": ("y", grid.latitude / 35786023, {"units": "rad"}),
            "x": ("x", grid.longitude / 35786023, {"units": "rad"}),
        },
    ).rio.write_crs(GEOSTATIONARY)
    source = open_scene(array).place.source_grid
    assert source.transform == pytest.approx(grid.transform)


def test_a_projection_may_cross_the_antimeridian(tmp_path):
    scene = open_scene(write_geotiff(tmp_path / "a.tif", draw_picture(SHAPE), MERIDIAN))
    west, _, east, _ = scene.place.grid.bounds
    assert 174 < west < 180 < east < 186
    pixels, seen = read_all(scene)
    assert seen.mean() > 0.8
    longitude = scene.place.grid.longitude
    assert seen[:, longitude < 180].any()
    assert seen[:, longitude > 180].any()
    assert pixels[seen].mean() > 20


def test_a_source_outside_its_projection_is_refused(tmp_path):
    space = Grid.from_bounds((6e6, 6e6, 7e6, 7e6), SHAPE, GEOSTATIONARY)
    with pytest.raises(UserError, match="reference system is wrong"):
        open_scene(write_geotiff(tmp_path / "a.tif", draw_picture(SHAPE), space))
