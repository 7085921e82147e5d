"""A Dataset holds what the result holds, with coordinates that other software reads."""

import numpy as np
import pytest
import rioxarray  # noqa: F401  (adds `.rio` to xarray)
import xarray as xr

from nephoscope.earth.validity import DOMAINS, FLAGS
from nephoscope.earth.writing.dataset import to_dataset
from tests.builders.earth_results import CLASSES, JANUARY, make_place, make_result

PLACED = ("time", "pattern", "latitude", "longitude")


def test_a_result_with_a_place_lies_on_latitude_and_longitude() -> None:
    dataset = make_result(make_place(), (350, 525)).to_xarray()
    assert dataset["mask"].dims == PLACED
    assert dataset["longitude"].values[:2].tolist() == [-60.98, -60.94]
    assert dataset["latitude"].values[:2].tolist() == [23.98, 23.94]
    assert dataset["latitude_bnds"].values[0].tolist() == [24, 23.96]
    assert dataset["longitude_bnds"].values[-1].tolist() == [-40.04, -40]
    assert dataset["time"].values.tolist() == [JANUARY.astype("datetime64[ns]").astype(int)]
    assert dataset["pattern"].values.tolist() == list(CLASSES)


def test_variables_hold_the_arrays_of_the_result_and_nan_where_nothing_was_seen() -> None:
    result = make_result(make_place())
    dataset = result.to_xarray().isel(time=0)
    unseen = ~result.visible
    assert np.isnan(dataset["mask"].values[:, unseen]).all()
    assert (dataset["mask"].values[:, result.visible] == result.masks[:, result.visible]).all()
    levels = np.minimum(result.levels, 254)[:, result.visible]
    assert np.allclose(dataset["probability"].values[:, result.visible], levels / 255, atol=1e-6)
    for name, values in (("presence", result.presence), ("confidence", result.confidence)):
        assert dataset[name].dims == PLACED[1:]
        assert np.isnan(dataset[name].values[:, unseen]).all()
        assert np.allclose(dataset[name].values[:, result.visible], values[:, None])
    assert (dataset["visible"].values == result.visible).all()


def test_a_mean_over_time_is_a_frequency_among_what_was_seen() -> None:
    first, second = make_place(), make_place(time=JANUARY + np.timedelta64(1, "D"))
    everything = np.ones((70, 105), bool)
    masks = np.ones((4, 70, 105), bool)
    datasets = [
        make_result(first, visible=everything, masks=masks).to_xarray(),
        make_result(second, masks=~masks).to_xarray(),
    ]
    frequency = xr.concat([dataset["mask"] for dataset in datasets], "time").mean("time")
    assert set(np.unique(frequency)) == {0.5, 1.0}
    assert (frequency.isel(pattern=0) == 1).sum() == (~make_result(second).visible).sum()


def test_presence_may_be_a_field() -> None:
    field = np.linspace(0, 1, 4 * 70 * 105, dtype=np.float32).reshape(4, 70, 105)
    result = make_result(make_place(), presence_map=field, confidence_map=1 - field)
    dataset = result.to_xarray().isel(time=0)
    assert (dataset["presence"].values[:, result.visible] == field[:, result.visible]).all()
    assert (dataset["confidence"].values[:, result.visible] == 1 - field[:, result.visible]).all()


def test_an_unknown_time_gives_no_dimension() -> None:
    dataset = make_result(make_place(time=None)).to_xarray()
    assert dataset["mask"].dims == PLACED[1:]
    assert "time" not in dataset.variables


def test_a_plain_image_has_pixel_coordinates_and_says_so() -> None:
    dataset = make_result(None).to_xarray()
    assert dataset["mask"].dims == ("pattern", "y", "x")
    assert set(dataset.data_vars) == {"mask", "probability", "presence", "confidence", "visible"}
    assert dataset.attrs["nephoscope_placed"] == "nowhere: pixel coordinates"
    assert dataset["x"].values[:2].tolist() == [0, 1]


def test_provenance_and_notes_are_attributes_without_a_date() -> None:
    notes = {"placed": "by its file name", "platform-name": "Aqua"}
    attributes = make_result(make_place(), notes=notes).to_xarray().attrs
    assert attributes["source_platform_name"] == "Aqua"
    assert attributes["nephoscope_model"] == "a" * 64
    assert attributes["source_sha256"] == "c" * 64
    assert attributes["nephoscope_engines"] == "classifier-seed0: onnx fp32; segmenter-seed0: openvino bf16"
    assert attributes["history"] == "nephoscope predict a.jpg --out maps (nephoscope 0.1.0)"
    assert attributes["nephoscope_placed"] == "by its file name"
    assert attributes["nephoscope_sensor"] == "MODIS Aqua"


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # within rioxarray
def test_rioxarray_knows_the_place() -> None:
    mask = make_result(make_place(), (350, 525)).to_xarray()["mask"]
    assert mask.rio.crs.to_epsg() == 4326
    assert np.allclose(mask.rio.bounds(), (-61, 10, -40, 24))
    assert np.allclose(mask.rio.transform()[:6], (0.04, 0, -61, 0, -0.04, 24))


def test_land_and_validity_are_flags() -> None:
    dataset = make_result(make_place((-62, 10, -41, 24)), domain=DOMAINS["clouds"]).to_xarray()
    assert dataset["land"].sel(latitude=10.5, longitude=-61.3, method="nearest") == 1  # Trinidad
    validity = dataset["validity"]
    assert validity.attrs["flag_meanings"].split() == list(FLAGS)
    assert validity.attrs["flag_masks"].tolist() == list(FLAGS.values())
    assert validity.sel(latitude=15, longitude=-61.6, method="nearest") == FLAGS["outside_regions"]
    assert "validity" not in make_result(make_place()).to_xarray()


@pytest.mark.parametrize("time", [JANUARY, None])
def test_memory_maps_stay_on_disk_until_they_are_read(tmp_path, time) -> None:
    shape = (600, 1100)
    place = make_place((-61, 10, -17, 34), time=time)
    result = make_result(place, shape)
    expected = to_dataset(result)
    maps = {}
    for name in ("levels", "masks", "visible"):
        values = getattr(result, name)
        np.save(tmp_path / f"{name}.npy", values)
        maps[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    lazy = to_dataset(make_result(place, shape, **maps))
    assert {name for name, field in lazy.items() if field.chunks} == {
        "mask", "probability", "presence", "confidence", "visible",
    }  # fmt: skip
    assert max(lazy["mask"].chunks[-2]) == 256
    xr.testing.assert_identical(lazy.compute(), expected)


def test_a_part_of_a_memory_map_is_read_from_its_own_place(tmp_path) -> None:
    values = np.arange(5 * 30 * 40, dtype=np.float32).reshape(5, 30, 40) / 6000
    np.save(tmp_path / "presence.npy", values)
    part = np.load(tmp_path / "presence.npy", mmap_mode="r")[1:]
    result = make_result(make_place(), (30, 40), presence_map=part, visible=np.ones((30, 40), bool))
    assert (result.to_xarray()["presence"].values[0] == values[1:]).all()
