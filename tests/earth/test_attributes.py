"""Every output says how it was made."""

import json
from pathlib import Path

import pytest

from nephoscope.earth.writing.attributes import read_attributes
from nephoscope.earth.writing.c3ontext import write_c3ontext
from nephoscope.earth.writing.geotiff import write_geotiffs
from nephoscope.earth.writing.netcdf import write_netcdf
from nephoscope.earth.writing.zarr_store import write_zarr
from nephoscope.errors import UserError
from nephoscope.files import write_json
from nephoscope.provenance import PROVENANCE_FILE, hash_source
from tests.builders.earth_results import PROVENANCE, make_place, make_result

RESULT = make_result(make_place())


def write_coco(path: Path) -> None:
    path.write_text(json.dumps({"info": PROVENANCE.to_attributes(), "images": [{"id": 1}] * 100_000}))


WRITERS = {
    "map.nc": lambda path: write_netcdf(RESULT.to_xarray(), path),
    "v2.zarr": lambda path: write_zarr(RESULT.to_xarray(), path, 2),
    "v3.zarr": lambda path: write_zarr(RESULT.to_xarray(), path, 3),
    "a.jpg_Fish_mask.tif": lambda path: write_geotiffs(RESULT, path.parent),
    "map.geojson": lambda path: path.write_text(json.dumps(RESULT.to_geojson())),
    "pixels.geojson": lambda path: path.write_text(json.dumps(make_result(None).to_geojson())),
    "coco.json": write_coco,
    "summary.csv": lambda path: write_json(path.parent / PROVENANCE_FILE, PROVENANCE.to_attributes()),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_output_carries_its_provenance(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    path.touch()
    stated = read_attributes(path)
    expected = PROVENANCE.to_attributes()
    assert {key: stated[key] for key in expected} == expected


def test_the_store_of_c3ontext_names_the_model(tmp_path: Path) -> None:
    write_c3ontext([RESULT.to_xarray()], tmp_path / "c3ontext.zarr")
    assert read_attributes(tmp_path / "c3ontext.zarr")["nephoscope_model"] == "a" * 64


def test_images_in_a_folder_of_results_share_its_record(tmp_path: Path) -> None:
    write_json(tmp_path / PROVENANCE_FILE, PROVENANCE.to_attributes())
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png").touch()
    for path in (tmp_path / "masks/a.png", tmp_path / "masks", tmp_path):
        assert read_attributes(path)["nephoscope_command"] == PROVENANCE.command


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("map.nc", b"no NetCDF", "cannot be read"),
        ("map.tif", b"no TIFF", "cannot be read"),
        ("map.json", b"\xff\xfe", "cannot be read"),
        ("map.geojson", b'{"type": "FeatureCollection"}', "does not say how it was made"),
        ("map.json", b"[" * 100_000, "does not say how it was made"),
        ("map.json", b'{"a": ' + b"7" * 5000 + b"}", "does not say how it was made"),
        ("map.json", b"[1]", "does not say how it was made"),
        ("summary.csv", b"image_id", "there is no provenance.json"),
    ],
)
def test_other_files_are_reported(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_attributes(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (".zattrs", "[" * 100_000, "nested too deeply"),
        ("zarr.json", "7" * 5000, "4300 digits"),
        ("zarr.json", "[]", "does not say how it was made"),
        ("zarr.json", '{"attributes": 1}', "does not say how it was made"),
    ],
)
def test_a_store_without_attributes_is_reported(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_attributes(tmp_path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_attributes(tmp_path / "gone.nc")


def test_a_source_is_hashed_whether_it_is_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert hash_source(str(tmp_path / "a.jpg")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    before = hash_source(str(tmp_path))
    (tmp_path / "b.jpg").write_bytes(b"")
    assert hash_source(str(tmp_path)) != before
