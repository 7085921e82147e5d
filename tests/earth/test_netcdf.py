"""NetCDF files follow CF, hold the Dataset, and have the same bytes for the same content."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from nephoscope.earth.validity import DOMAINS
from nephoscope.earth.writing.dataset import to_dataset
from nephoscope.earth.writing.netcdf import encode_netcdf, write_netcdf
from tests.builders.conventions import check_cf
from tests.builders.earth_results import JANUARY, make_place, make_result


@pytest.mark.parametrize("place", [make_place(), make_place(time=None), None], ids=["place", "no time", "no place"])
def test_the_file_follows_cf(tmp_path: Path, place) -> None:
    write_netcdf(make_result(place, domain=DOMAINS["clouds"]).to_xarray(), tmp_path / "map.nc")
    assert check_cf(tmp_path / "map.nc") == []


def test_the_check_can_fail(tmp_path: Path) -> None:
    dataset = make_result(make_place()).to_xarray()
    dataset["latitude"].attrs["units"] = "metres"
    write_netcdf(dataset, tmp_path / "map.nc")
    assert check_cf(tmp_path / "map.nc")


@pytest.mark.parametrize("place", [make_place(), None], ids=["place", "no place"])
def test_xarray_reads_back_what_was_written(tmp_path: Path, place) -> None:
    dataset = make_result(place, domain=DOMAINS["clouds"]).to_xarray()
    write_netcdf(dataset, tmp_path / "map.nc")
    with xr.open_dataset(tmp_path / "map.nc", decode_coords="all") as back:
        xr.testing.assert_equal(back.load(), dataset)
        assert back.attrs == dataset.attrs
        assert {str(field.dtype) for field in (back["mask"], back["probability"])} == {"float32"}
        assert back["validity" if place else "visible"].dtype.itemsize == 1


def test_files_store_bytes(tmp_path: Path) -> None:
    write_netcdf(make_result(make_place()).to_xarray(), tmp_path / "map.nc")
    with netCDF4.Dataset(tmp_path / "map.nc") as file:
        assert file["mask"].dtype == np.int8
        assert file["mask"]._FillValue == -1
        assert file["probability"].dtype == np.int8
        assert file["probability"]._Unsigned == "true"
        assert file["probability"].filters()["zlib"]
        assert file["mask"].chunking() == [1, 1, 70, 105]
        assert file["pattern"].dtype == "S1"


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    dataset = make_result(make_place()).to_xarray()
    write_netcdf(dataset, tmp_path / "map.nc")
    assert encode_netcdf(make_result(make_place()).to_xarray()) == (tmp_path / "map.nc").read_bytes()


def test_lazy_and_loaded_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    place, shape = make_place((-61, 10, -17, 34)), (600, 1100)
    result = make_result(place, shape)
    np.save(tmp_path / "levels.npy", result.levels)
    lazy = to_dataset(make_result(place, shape, levels=np.load(tmp_path / "levels.npy", mmap_mode="r")))
    assert lazy["probability"].chunks
    assert encode_netcdf(lazy) == encode_netcdf(to_dataset(result))


def test_several_times_are_written_together(tmp_path: Path) -> None:
    places = [make_place(), make_place(time=JANUARY + np.timedelta64(1, "D"))]
    stacked = xr.concat(
        [make_result(place, seed=seed).to_xarray() for seed, place in enumerate(places)], "time", data_vars="minimal"
    )
    write_netcdf(stacked, tmp_path / "maps.nc")
    with xr.open_dataset(tmp_path / "maps.nc", decode_coords="all") as back:
        xr.testing.assert_equal(back.load(), stacked)


def test_nothing_is_left_after_a_failure(tmp_path: Path) -> None:
    dataset = make_result(make_place()).to_xarray()
    dataset["odd"] = xr.DataArray(np.array([1 + 2j]), dims="odd")
    with pytest.raises((TypeError, ValueError)):
        write_netcdf(dataset, tmp_path / "map.nc")
    assert list(tmp_path.iterdir()) == []
