"""GeoTIFFs lie where the source lies, and GIS programs can read them at once. rasterio is the oracle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.warp import transform, transform_bounds

from nephoscope.earth.grid import Grid
from nephoscope.earth.scene import Place
from nephoscope.earth.writing.geotiff import encode_geotiffs, write_geotiffs
from nephoscope.errors import UserError
from nephoscope.figures.colours import CLASS_COLOURS
from tests.builders.earth_results import CLASSES, make_place, make_result

UTM = Grid("EPSG:32618", (3000.0, 0.0, 100_000.0, 0.0, -3000.0, 2_800_000.0), (200, 300))


def read(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    with rasterio.open(path) as file:
        return file.read(), {
            **file.profile,
            "tags": file.tags(),
            "scales": file.scales,
            "names": file.descriptions,
            "colours": file.colorinterp,
        }


def utm_place(shape: tuple[int, int] = (140, 210)) -> Place:
    bounds = transform_bounds(UTM.crs, "EPSG:4326", *UTM.bounds)
    place = Grid.from_bounds(bounds, shape)
    return Place(place, source_grid=UTM, source_cell=place.cell_size[0] / 2)


def test_masks_have_a_colour_table_and_nodata(tmp_path: Path) -> None:
    result = make_result(make_place(), (350, 525))
    paths = write_geotiffs(result, tmp_path)
    assert [path.name for path in paths[:-1]] == [f"a.jpg_{name}_mask.tif" for name in CLASSES]
    for path, mask, colour in zip(paths[:-1], result.masks, CLASS_COLOURS, strict=False):
        (values,), profile = read(path)
        assert (values == np.where(result.visible, mask, 255)).all()
        assert profile["nodata"] == 255
        assert profile["crs"].to_epsg() == 4326
        assert np.allclose(profile["transform"][:6], (0.04, 0, -61, 0, -0.04, 24))
        with rasterio.open(path) as file:
            assert file.colormap(1)[1] == (*colour, 255)
            assert file.colormap(1)[255][3] == 0
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_probabilities_have_a_band_per_pattern_and_a_scale(tmp_path: Path) -> None:
    result = make_result(make_place(), (350, 525))
    values, profile = read(write_geotiffs(result, tmp_path)[-1])
    assert profile["names"] == CLASSES
    assert set(profile["colours"]) == {ColorInterp.gray, ColorInterp.undefined}
    assert np.allclose(profile["scales"], 1 / 255)
    expected = np.where(result.visible, np.minimum(result.levels, 254), 255)
    assert (values == expected).all()
    assert profile["tags"]["nephoscope_model"] == "a" * 64
    assert profile["tags"]["time"] == "2020-01-15T13:30:00Z"


def test_a_source_in_utm_comes_back_in_utm(tmp_path: Path) -> None:
    place = utm_place()
    height, width = place.grid.shape
    # The mask is the eastern half, so that its place can be checked at every cell.
    masks = np.zeros((4, height, width), bool)
    masks[:, :, width // 2 :] = True
    visible = np.ones((height, width), bool)
    result = make_result(place, (height, width), masks=masks, visible=visible)
    (values,), profile = read(write_geotiffs(result, tmp_path)[0])
    assert profile["crs"].to_epsg() == 32618
    assert values.shape == (100, 150)
    assert np.allclose(profile["transform"][:6], (6000, 0, 100_000, 0, -6000, 2_800_000))
    x, y = np.meshgrid(100_000 + 6000 * (np.arange(150) + 0.5), 2_800_000 - 6000 * (np.arange(100) + 0.5))
    longitude = np.reshape(transform(UTM.crs, "EPSG:4326", x.ravel(), y.ravel())[0], x.shape)
    west, _, east, _ = place.grid.bounds
    far = np.abs(longitude - (west + east) / 2) > place.grid.cell_size[1]
    assert ((values == 1) == (longitude > (west + east) / 2))[far].all()


def test_what_was_not_seen_stays_nodata_after_reprojection(tmp_path: Path) -> None:
    visible = np.zeros((140, 210), bool)
    visible[:70] = True
    result = make_result(utm_place(), (140, 210), visible=visible)
    for path in write_geotiffs(result, tmp_path):
        values, _ = read(path)
        assert (values[:, 60:] == 255).all()
        assert (values[:, 5:40, 5:-5] != 255).all()


def test_large_maps_have_overviews(tmp_path: Path) -> None:
    result = make_result(make_place((-61, 10, -17, 34)), (600, 1100))
    with rasterio.open(write_geotiffs(result, tmp_path)[0]) as file:
        assert file.overviews(1)
        assert file.block_shapes == [(512, 512)]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = write_geotiffs(make_result(make_place()), tmp_path)
    assert encode_geotiffs(make_result(make_place())) == {path.name: path.read_bytes() for path in paths}
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_an_image_without_a_place_gets_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--bounds"):
        write_geotiffs(make_result(None), tmp_path)
    assert list(tmp_path.iterdir()) == []
