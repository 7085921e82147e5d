"""Readers of C3ONTEXT find what they ask for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from nephoscope.earth.writing.c3ontext import write_c3ontext
from nephoscope.errors import UserError
from tests.builders.earth_results import JANUARY, make_place, make_result

DAY = np.timedelta64(1, "D")
SHAPE = (70, 105)
EVERYTHING = np.ones(SHAPE, bool)


def image(day: int = 0, **changes: Any) -> xr.Dataset:
    return make_result(make_place(time=JANUARY + day * DAY), SHAPE, seed=day, **changes).to_xarray()


@pytest.fixture
def opened(tmp_path: Path) -> xr.Dataset:
    write_c3ontext([image(0), image(0), image(1), image(5)], tmp_path / "c3ontext.zarr")
    return xr.open_zarr(tmp_path / "c3ontext.zarr", chunks=None)


def test_a_ship_track_is_sampled_as_in_their_readme(opened: xr.Dataset) -> None:
    sampled = opened.freq.interp(latitude=13.3, longitude=-50.2).sel(date="2020-01-15")
    assert sampled["pattern"].values.tolist() == ["Sugar", "Flowers", "Fish", "Gravel", "Unclassified"]
    assert sampled.notnull().all()


def test_a_slice_from_north_to_south_is_not_empty(opened: xr.Dataset) -> None:
    part = opened.freq.sel(latitude=slice(20, 12), longitude=slice(-55, -50))
    assert part.sizes == {"date": 3, "longitude": 25, "latitude": 40, "pattern": 5}
    assert opened["latitude"].values.tolist() == sorted(opened["latitude"].values, reverse=True)


def test_arrays_have_their_layout(opened: xr.Dataset, tmp_path: Path) -> None:
    store = tmp_path / "c3ontext.zarr"
    freq = zarr.open_group(store, mode="r")["freq"]
    assert isinstance(freq, zarr.Array)
    assert (freq.dtype, freq.metadata.zarr_format) == (np.int32, 2)
    attributes = {name: json.loads((store / name / ".zattrs").read_text()) for name in ("freq", "date", "longitude")}
    assert attributes["freq"]["_ARRAY_DIMENSIONS"] == ["date", "longitude", "latitude", "pattern"]
    assert attributes["freq"]["scale_factor"] == 1e-4
    assert attributes["date"]["units"] == "seconds since 1970-01-01 00:00:00 UTC"
    assert attributes["longitude"]["units"] == "degree_east"
    assert (store / ".zmetadata").is_file()
    assert opened["date"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-15", "2020-01-16", "2020-01-20",
    ]  # fmt: skip
    assert opened["nb_users"].values.tolist() == [2, 1, 1]
    assert opened.attrs["nephoscope_model"] == "a" * 64
    assert not any("created_on" in name for name in opened.attrs)


def test_freq_is_presence_within_the_mask_and_the_rest_is_unclassified(tmp_path: Path) -> None:
    masks = np.zeros((4, *SHAPE), bool)
    masks[1, :35] = True  # Flower, presence 0.5
    visible = EVERYTHING.copy()
    visible[:, 100:] = False
    write_c3ontext([image(masks=masks, visible=visible)], tmp_path / "c3ontext.zarr")
    freq = xr.open_zarr(tmp_path / "c3ontext.zarr", chunks=None).freq.isel(date=0).transpose("pattern", "latitude", ...)
    assert np.allclose(freq.sel(pattern="Flowers").values[:35, :100], 0.5)
    assert np.allclose(freq.sel(pattern="Flowers").values[35:, :100], 0)
    assert np.allclose(freq.sel(pattern="Unclassified").values[:35, :100], 0)
    assert np.allclose(freq.sel(pattern="Unclassified").values[35:, :100], 1)
    assert np.allclose(freq.sel(pattern=["Sugar", "Fish", "Gravel"]).values[..., :100], 0)
    assert freq.values[..., 100:].size
    assert np.isnan(freq.values[..., 100:]).all()


def test_images_of_a_day_are_averaged_where_they_saw_the_cell(tmp_path: Path) -> None:
    masks = np.zeros((4, *SHAPE), bool)
    masks[0] = True  # Fish, presence 0.9
    half = EVERYTHING.copy()
    half[:35] = False
    datasets = [image(masks=masks, visible=EVERYTHING), image(masks=~EVERYTHING & masks, visible=half)]
    write_c3ontext(datasets, tmp_path / "c3ontext.zarr")
    fish = xr.open_zarr(tmp_path / "c3ontext.zarr", chunks=None).freq.isel(date=0).sel(pattern="Fish")
    assert np.allclose(fish.values[:, :35], 0.9)
    assert np.allclose(fish.values[:, 35:], 0.45)


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ([], "no images"),
        ([image(1), image(0)], "sort the images by time"),
        ([image(0), make_result(make_place((-62, 10, -41, 24), time=JANUARY + DAY)).to_xarray()], "one grid"),
        ([image(0), make_result(make_place((-62, 10, -41, 24))).to_xarray()], "one grid"),
        ([make_result(make_place(time=None)).to_xarray()], "--time"),
        ([make_result(None).to_xarray()], "--bounds"),
        ([xr.concat([image(0), image(1)], "time", data_vars="minimal")], "2 days"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_left(tmp_path: Path, datasets: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_c3ontext(datasets, tmp_path / "c3ontext.zarr")
    assert list(tmp_path.iterdir()) == []
