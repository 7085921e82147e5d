"""From a picture to a map: the same pixels in any kind of file, in memory and lazily."""

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import rasterio
import xarray as xr

import nephoscope as ns
from nephoscope.artifacts import SHIPPED
from nephoscope.batch.maps import MapOptions
from nephoscope.batch.predict import predict_pictures
from nephoscope.data.images import read_image
from nephoscope.data.synthetic import write_dataset
from nephoscope.earth.grid import Grid
from tests.builders.command_line import run_command

BOUNDS = (-61.0, 10.0, -40.0, 24.0)
NAME = "Aqua_CorrectedReflectance20071227_-61--40_10-24.jpeg"
DAY = "2007-12-27"

pytestmark = pytest.mark.xdist_group("earth")


@pytest.fixture(scope="module")
def model() -> ns.Model:
    return ns.load(engine="onnx")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn scene, named as the pictures of the crowd."""
    folder = tmp_path_factory.mktemp("scene")
    write_dataset(folder / "drawn", labelled=1, seed=7)
    (drawn,) = (folder / "drawn" / "train_images").iterdir()
    return drawn.rename(folder / NAME)


@pytest.fixture(scope="module")
def image(picture: Path) -> np.ndarray:
    return read_image(picture)


def as_array(image: np.ndarray) -> xr.DataArray:
    height, width = image.shape[:2]
    west, south, east, north = BOUNDS
    latitude = north - (north - south) / height * (np.arange(height) + 0.5)
    longitude = west + (east - west) / width * (np.arange(width) + 0.5)
    coords = {"latitude": latitude, "longitude": longitude, "time": np.datetime64(DAY, "ns")}
    return xr.DataArray(image, coords, ("latitude", "longitude", "band"), "true_color", {"platform_name": "Aqua"})


@pytest.fixture(scope="module")
def kinds(picture: Path, image: np.ndarray) -> dict[str, Any]:
    """The same pixels in every kind of file, and what must be stated to place them."""
    folder, (height, width) = picture.parent, image.shape[:2]
    place = rasterio.Affine(*Grid.from_bounds(BOUNDS, (height, width)).transform)
    plain = folder / "plain.jpeg"
    plain.write_bytes(picture.read_bytes())
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": height, "width": width, "crs": "EPSG:4326"}
    with rasterio.open(folder / "scene.tif", "w", **profile, transform=place) as file:
        file.write(np.moveaxis(image, 2, 0))
    as_array(image).to_dataset().to_netcdf(folder / "scene.nc")
    as_array(image).to_dataset().to_zarr(folder / "scene.zarr", zarr_format=2)
    stated = {"bounds": BOUNDS, "time": DAY}
    return {
        "bounds and time": (plain, stated),
        "GeoTIFF": (folder / "scene.tif", {"time": DAY}),
        "NetCDF": (folder / "scene.nc", {}),
        "Zarr": (folder / "scene.zarr", {}),
        "array in memory": (image, stated),
    }


@pytest.mark.parametrize("kind", ["bounds and time", "GeoTIFF", "NetCDF", "Zarr", "array in memory"])
def test_the_same_pixels_give_the_same_map(model: ns.Model, picture: Path, kinds: dict[str, Any], kind: str) -> None:
    expected = model.predict(picture).to_xarray()
    source, stated = kinds[kind]
    found = model.predict(source, **stated).to_xarray()
    for name in expected.variables:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=str(name))
    assert expected.longitude.values[:2].tolist() == [-60.98, -60.94]
    assert expected.latitude.values[:2].tolist() == [23.98, 23.94]
    assert str(expected.time.values[0]) == f"{DAY}T00:00:00.000000000"


def test_a_map_has_the_masks_of_the_plain_picture(model: ns.Model, picture: Path, image: np.ndarray) -> None:
    dataset, plain = model.predict(picture).to_xarray(), model.predict(image)
    seen = np.broadcast_to(plain.visible, plain.masks.shape)
    np.testing.assert_array_equal(dataset.mask.values[0][seen], plain.masks[seen])
    assert np.isnan(dataset.mask.values[0][~seen]).all()
    assert plain.place is None
    assert plain.to_xarray().mask.dims == ("pattern", "y", "x")


def stack(image: np.ndarray, reads: list[int]) -> xr.DataArray:
    """Three days, computed by dask; `reads` notes which of them were."""

    def block(day: int) -> np.ndarray:
        reads.append(day)
        return image[None, :, ::-1] if day else image[None]

    days = [
        dask.array.from_delayed(dask.delayed(block)(day), (1, *image.shape), np.uint8)  # type: ignore[attr-defined]
        for day in range(3)
    ]
    array = as_array(image)
    time = np.datetime64(DAY, "ns") + np.arange(3) * np.timedelta64(1, "D")
    coords = {"time": time, "latitude": array.latitude, "longitude": array.longitude}
    return xr.DataArray(dask.array.concatenate(days), coords, ("time", *array.dims), "true_color")


def test_an_array_of_dask_stays_lazy_until_it_is_asked(model: ns.Model, image: np.ndarray) -> None:
    reads: list[int] = []
    lazy = model.predict(stack(image, reads))
    assert reads == []
    assert lazy.sizes == {"time": 3, "pattern": 4, "latitude": 350, "longitude": 525, "bnds": 2}
    second = lazy.isel(time=1).compute()
    assert set(reads) == {1}
    expected = model.predict(stack(image, []).isel(time=1).compute())
    for name in ("mask", "probability", "presence", "confidence", "visible", "validity", "land"):
        np.testing.assert_array_equal(
            second[name], expected[name].squeeze("time") if "time" in expected[name].dims else expected[name]
        )


def test_a_dataset_says_how_it_was_made(model: ns.Model, picture: Path) -> None:
    attributes = model.predict(picture).to_xarray().attrs
    assert attributes["nephoscope_model"] == model.fingerprint
    assert attributes["source"] == str(picture)
    assert "classifier" in attributes["nephoscope_engines"]


def test_a_batch_mixes_scenes_and_plain_pictures(
    model: ns.Model, picture: Path, image: np.ndarray, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in (NAME, "zz-plain.jpeg"):
        (folder / name).write_bytes(picture.read_bytes())
    stack(image, []).isel(time=slice(2)).to_dataset().to_netcdf(folder / "days.nc")
    done = predict_pictures(
        [str(folder)], model.folder, str(out), engine="onnx", outputs=("netcdf", "geojson", "masks")
    )
    records = list(done.records())
    assert [record.image_id for record in records] == [
        NAME, f"days.nc_{DAY}T000000", "days.nc_2007-12-28T000000", "zz-plain.jpeg",
    ]  # fmt: skip
    assert [bool(record.transform) for record in records] == [True, True, True, False]
    assert records[0].rles == records[1].rles
    with xr.open_dataset(out / "netcdf" / f"{NAME}.nc", decode_coords="all") as written:
        expected = model.predict(picture).to_xarray()
        np.testing.assert_array_equal(written.mask, expected.mask)
        assert written.attrs["source_sha256"]
    assert sorted(path.name for path in (out / "netcdf").iterdir()) == sorted(f"{r.image_id}.nc" for r in records)
    masks = sorted(path.name for path in (out / "masks").iterdir() if path.name.startswith(NAME))
    assert masks == [
        f"{NAME}_{name}.png" for name in expected.pattern.values if (expected.mask.sel(pattern=name) == 1).any()
    ]


def test_maps_are_written_again_for_a_finished_run(model: ns.Model, picture: Path, tmp_path: Path) -> None:
    predict = lambda *outputs: predict_pictures(  # noqa: E731
        [str(picture)], model.folder, str(tmp_path), engine="onnx", outputs=outputs
    )
    predict("masks")
    assert not (tmp_path / "netcdf").exists()
    predict("netcdf", "zarr", "geotiff")
    assert (tmp_path / "netcdf" / f"{NAME}.nc").is_file()
    assert (tmp_path / "zarr" / f"{NAME}.zarr" / ".zmetadata").is_file()
    assert len(list((tmp_path / "geotiff").iterdir())) == 5


def test_the_command_places_a_picture_and_writes_the_convention_of_c3ontext(
    kinds: dict[str, Any], tmp_path: Path
) -> None:
    plain, out = kinds["bounds and time"][0], tmp_path / "out"
    arguments = (
        "--bounds",
        "-61,10,-40,24",
        "--time",
        DAY,
        "--convention",
        "c3ontext",
        "--engine",
        "onnx",
        "--out",
        out,
    )
    done = run_command(plain, *arguments)
    assert done.returncode == 0, done.stderr
    freq = xr.open_zarr(out / "c3ontext.zarr").freq
    assert freq.pattern.values.tolist() == ["Sugar", "Flowers", "Fish", "Gravel", "Unclassified"]
    along_track = freq.interp(latitude=13.2, longitude=-58.5).sel(date=DAY)
    assert along_track.sizes["pattern"] == 5
    assert freq.sel(latitude=slice(20, 15)).sizes["latitude"] == 125
    again = run_command(plain, *arguments[:-1], tmp_path / "again")
    assert again.returncode == 0
    name = f"netcdf/{plain.name}.nc"
    first, second = (xr.load_dataset(folder / name) for folder in (out, tmp_path / "again"))
    assert first.drop_attrs().identical(second.drop_attrs())


def test_places_are_for_one_picture(picture: Path, kinds: dict[str, Any], model: ns.Model, tmp_path: Path) -> None:
    with pytest.raises(ns.UserError, match="place one image; found 2"):
        predict_pictures(
            [str(picture), str(kinds["bounds and time"][0])], model.folder, str(tmp_path), options=MapOptions(BOUNDS)
        )


def test_a_damaged_scene_is_a_problem_of_its_own(model: ns.Model, kinds: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    content = kinds["GeoTIFF"][0].read_bytes()
    (folder / "a.tif").write_bytes(content[: len(content) // 3])
    (folder / "b.tif").write_bytes(content)
    done = predict_pictures([str(folder)], model.folder, str(tmp_path / "out"), engine="onnx", outputs=("geotiff",))
    assert [bool(record.problem) for record in done.records()] == [True, False]
    assert not list((tmp_path / "out" / "geotiff").glob("a.tif*"))
    assert done.incomplete_outputs == (), "a damaged image is told as a problem, not as a missing file"


def test_the_accessor_predicts_like_the_model(image: np.ndarray, model: ns.Model) -> None:
    import nephoscope.accessor  # noqa: F401, registers the accessor

    array = as_array(image)
    expected = model.predict(array)
    xr.testing.assert_identical(array.nephoscope.predict(model), expected)
    found = array.to_dataset(name="true_color").nephoscope.predict()
    np.testing.assert_allclose(found.presence, expected.presence, atol=0.01)  # perhaps by another engine


def test_outputs_that_a_plain_image_cannot_have_are_told(picture: Path, model: ns.Model, tmp_path: Path) -> None:
    plain = tmp_path / "plain.jpg"
    plain.write_bytes(picture.read_bytes())
    done = predict_pictures([str(plain)], model.folder, str(tmp_path / "out"), outputs=("geotiff", "geojson"))
    assert (done.readable_count, done.incomplete_outputs) == (1, ("geotiff",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MapOptions(time="yesterday", bounds=BOUNDS), "yesterday"),
        (MapOptions(time=DAY), "the image has no place; add --bounds W,S,E,N"),
    ],
)
def test_a_wrong_time_is_refused_before_anything_is_written(
    model: ns.Model, kinds: dict[str, Any], tmp_path: Path, options: MapOptions, message: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ns.UserError, match=message):
        predict_pictures([str(kinds["bounds and time"][0])], model.folder, str(out), engine="onnx", options=options)
    assert not out.exists()


def test_a_time_alone_places_no_array(model: ns.Model, image: np.ndarray) -> None:
    with pytest.raises(ns.UserError, match="a time needs a place"):
        model.predict(image, time=DAY)
    with pytest.raises(ns.UserError, match="bounds and time place one image"):
        model.predict([image, image], bounds=BOUNDS)


def test_options_that_differ_are_named(model: ns.Model, picture: Path, tmp_path: Path) -> None:
    predict_pictures([str(picture)], model.folder, str(tmp_path), engine="onnx")
    with pytest.raises(ns.UserError, match="made with another --bounds, --time, --overlap"):
        predict_pictures([str(picture)], model.folder, str(tmp_path), engine="onnx", options=MapOptions(overlap=0.2))


def test_coarse_pixels_are_named_in_a_warning(
    model: ns.Model, image: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = np.ascontiguousarray(image[::20, ::20])
    place = rasterio.Affine(*Grid.from_bounds(BOUNDS, small.shape[:2]).transform)
    path = tmp_path / "coarse.tif"
    height, width = small.shape[:2]
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(path, "w", transform=place, **profile) as file:
        file.write(small.transpose(2, 0, 1))
    model.predict(path)
    model.predict(image, bounds=BOUNDS, time=DAY)
    predict_pictures([str(path)], SHIPPED, tmp_path / "out")
    warning = f"coarse.tif: its pixels are {14 / height:.3g}° high; the networks read pixels of 0.0729°"
    assert [record.getMessage().split(", and")[0] for record in caplog.records] == [warning] * 2
