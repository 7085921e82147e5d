"""Zarr stores hold the Dataset, in both formats, with the same bytes for the same content."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import xarray as xr
import zarr

from nephoscope.earth.validity import DOMAINS
from nephoscope.earth.writing.zarr_store import write_zarr
from tests.builders.earth_results import make_place, make_result

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])
Format = Literal[2, 3]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@FORMATS
@pytest.mark.parametrize("place", [make_place(), None], ids=["place", "no place"])
def test_xarray_reads_back_what_was_written(tmp_path: Path, place, zarr_format: Format) -> None:
    dataset = make_result(place, domain=DOMAINS["clouds"]).to_xarray()
    write_zarr(dataset, tmp_path / "map.zarr", zarr_format)
    consolidated = zarr_format == 2
    with xr.open_zarr(tmp_path / "map.zarr", decode_coords="all", consolidated=consolidated, chunks=None) as back:
        xr.testing.assert_allclose(back.load(), dataset.assign_coords(pattern=back["pattern"]))
        assert back["pattern"].values.tolist() == dataset["pattern"].values.tolist()
        assert {name: back.attrs[name] for name in dataset.attrs} == dataset.attrs
        if place:
            assert back["mask"].encoding["grid_mapping"] == "spatial_ref"


@FORMATS
def test_arrays_store_bytes(tmp_path: Path, zarr_format: Format) -> None:
    write_zarr(make_result(make_place()).to_xarray(), tmp_path / "map.zarr", zarr_format)
    group = zarr.open_group(tmp_path / "map.zarr", mode="r")
    assert group.metadata.zarr_format == zarr_format
    for name, dtype in (("mask", "int8"), ("probability", "uint8")):
        array = group[name]
        assert isinstance(array, zarr.Array)
        assert (array.dtype, array.chunks) == (np.dtype(dtype), (1, 1, 70, 105))
    assert (tmp_path / "map.zarr/.zmetadata").is_file() == (zarr_format == 2)


@FORMATS
def test_the_same_content_gives_the_same_bytes(tmp_path: Path, zarr_format: Format) -> None:
    dataset = make_result(make_place()).to_xarray()
    write_zarr(dataset, tmp_path / "first.zarr", zarr_format)
    write_zarr(dataset, tmp_path / "second.zarr", zarr_format)
    assert content(tmp_path / "first.zarr") == content(tmp_path / "second.zarr")


def test_lazy_arrays_are_written(tmp_path: Path) -> None:
    place, shape = make_place((-61, 10, -17, 34)), (600, 1100)
    result = make_result(place, shape)
    np.save(tmp_path / "levels.npy", result.levels)
    lazy = make_result(place, shape, levels=np.load(tmp_path / "levels.npy", mmap_mode="r")).to_xarray()
    assert lazy["probability"].chunks
    write_zarr(result.to_xarray(), tmp_path / "loaded.zarr")
    write_zarr(lazy, tmp_path / "lazy.zarr")
    assert content(tmp_path / "loaded.zarr") == content(tmp_path / "lazy.zarr")


def test_a_store_replaces_an_older_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "map.zarr").mkdir()
    (tmp_path / "map.zarr/old").write_text("old")
    write_zarr(make_result(make_place()).to_xarray(), tmp_path / "map.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["map.zarr"]
    assert not (tmp_path / "map.zarr/old").exists()


def test_a_dataset_that_was_read_from_netcdf_can_be_written(tmp_path: Path) -> None:
    dataset = make_result(make_place()).to_xarray()
    dataset.to_netcdf(tmp_path / "map.nc")
    with xr.open_dataset(tmp_path / "map.nc", decode_coords="all") as read:
        write_zarr(read, tmp_path / "map.zarr")
    with xr.open_zarr(tmp_path / "map.zarr", decode_coords="all", chunks=None) as back:
        xr.testing.assert_allclose(back.load(), dataset)
