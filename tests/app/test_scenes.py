"""Images with a place: GeoTIFFs, places in names, stated places, scenes of several windows, and their downloads."""

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.features import rasterize

from nephoscope.app.pictures import Picture
from nephoscope.app.scenes import Placing, read_upload
from nephoscope.app.state import AppState
from nephoscope.data.images import read_image
from nephoscope.earth.grid import Grid
from nephoscope.earth.reading.open import open_scene
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.scenes import predict_scene
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.rle import decode_rle
from tests.builders.app_requests import decide, tuned_rules, uniform_rules, upload
from tests.builders.placed_pictures import write_geotiff, write_picture

BOUNDS = (-61.0, 10.0, -40.0, 24.0)
NAME = "Aqua20080120_-61--40_10-24"
MASKED = uniform_rules(5)
"""Rules under which every class has a mask."""


@pytest.fixture(scope="module")
def image(picture: Path) -> Image:
    return read_image(picture)


@pytest.fixture(scope="module")
def geotiff(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One window."""
    path = tmp_path_factory.mktemp("scenes") / "window.tif"
    return write_geotiff(path, image, Grid.from_bounds(BOUNDS, image.shape[:2]), compress="deflate")


@pytest.fixture(scope="module")
def wide(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four windows, across the antimeridian."""
    pixels = resize_image(np.concatenate([image, image[:, ::-1]], axis=1), (175, 525))
    path = tmp_path_factory.mktemp("scenes") / "wide.tif"
    return write_geotiff(path, pixels, Grid.from_bounds((160, 8, 202, 22), pixels.shape[:2]), compress="deflate")


@pytest.fixture(scope="module")
def visitor(server: str) -> Iterator[httpx2.Client]:
    """One visitor for several tests: predicting a scene again takes seconds."""
    with httpx2.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def one(visitor: httpx2.Client, geotiff: Path) -> str:
    return upload(visitor, geotiff)


@pytest.fixture(scope="module")
def several(visitor: httpx2.Client, wide: Path) -> str:
    return upload(visitor, wide)


def predict(client: httpx2.Client, content: bytes, **query: str) -> dict[str, Any]:
    response = client.post("/api/predict", params=query, content=content)
    assert response.status_code == 200, response.text
    return dict(response.json())


def describe(client: httpx2.Client, picture_id: str) -> dict[str, Any]:
    return dict(client.get(f"/api/pictures/{picture_id}").json())


def download(client: httpx2.Client, picture_id: str, kind: str, rules: list[dict[str, float]] = MASKED) -> bytes:
    response = client.post(f"/api/pictures/{picture_id}/download/{kind}", json={"rules": rules})
    assert response.status_code == 200, response.text
    return bytes(response.content)


def test_the_place_comes_from_the_file_its_name_or_the_request(
    client: httpx2.Client, image: Image, geotiff: Path, tmp_path: Path
) -> None:
    png = write_picture(tmp_path / "plain.png", image).read_bytes()
    plain = predict(client, png, name="plain.png")
    assert plain["place"] is None
    named = predict(client, png, name=f"{NAME}.png")
    assert named["place"] == {
        "bounds": list(BOUNDS), "time": "2008-01-20T00:00:00Z", "sensor": "MODIS Aqua", "source_crs": None,
    }  # fmt: skip
    stated = predict(client, png, name="plain.png", bounds="-61,10,-40,24", time="2008-01-20T13:30")
    assert stated["place"]["time"] == "2008-01-20T13:30:00Z"
    tiff = predict(client, geotiff.read_bytes(), name="window.tif", time="2008-01-20")
    assert {tuple(answer["place"]["bounds"]) for answer in (stated, tiff)} == {BOUNDS}
    assert plain["classes"] == named["classes"] == stated["classes"] == tiff["classes"]


def test_a_scene_smaller_than_a_window_is_decided_as_by_predict(opened: AppState, image: Image, tmp_path: Path) -> None:
    pixels = image[:210, :300]
    path = write_geotiff(tmp_path / "part.tif", pixels, Grid.from_bounds((-61, 15.6, -49, 24), pixels.shape[:2]))
    picture = read_upload(opened.model, opened.rules, path.read_bytes(), path.name, Placing())
    result = opened.decide_by(picture, opened.rules).result
    scene = open_scene(path)
    assert scene is not None
    expected = predict_scene(opened.model, opened.rules, scene)
    assert result.masks.shape == (4, 210, 300)
    np.testing.assert_array_equal(result.masks, expected.masks)
    np.testing.assert_array_equal(result.levels, expected.levels)
    np.testing.assert_allclose(result.presence, expected.presence)
    assert result.place is not None
    assert expected.place is not None
    assert result.place.grid == expected.place.grid
    assert picture.image is None  # heat maps would show the window, not the scene


def test_sliders_decide_scenes_of_one_window_only(visitor: httpx2.Client, one: str, several: str) -> None:
    assert not describe(visitor, one)["has_fixed_rules"]
    assert decide(visitor, one, MASKED) != decide(visitor, one, uniform_rules(250))
    described = describe(visitor, several)
    assert described["has_fixed_rules"]
    assert not described["has_heat"]
    assert not described["has_output_shape"]
    assert described["notes"][0].startswith("Read in 4 overlapping windows")
    assert "another region" in described["notes"][1]
    assert decide(visitor, several, MASKED) == decide(visitor, several, uniform_rules(250))


def test_masks_of_large_scenes_are_drawn_smaller() -> None:
    visible = np.ones((700, 2100), bool)
    prediction = Prediction(np.zeros((4, 700, 2100), np.uint8), visible, np.zeros(4), np.zeros(4))
    assert Picture("a.tif", None, prediction, b"", b"").shown_shape == (350, 1050)


def test_geojson_and_geotiff_hold_the_masks_in_longitude_and_latitude(
    visitor: httpx2.Client, opened: AppState, one: str
) -> None:
    classes, outlines = opened.rules.classes, json.loads(download(visitor, one, "outlines"))
    transform = Affine(*Grid.from_bounds(BOUNDS, (350, 525)).transform)
    drawn = {
        feature["properties"]["class_name"]: rasterize([feature["geometry"]], (350, 525), transform=transform)
        for feature in outlines["features"]
    }
    assert outlines["nephoscope_model"] == opened.fingerprint
    assert outlines["nephoscope_rules"] != opened.rules.digest  # they were changed
    archive = zipfile.ZipFile(io.BytesIO(download(visitor, one, "geotiff")))
    assert len(archive.namelist()) == len(classes) + 1
    for class_name in classes:
        with rasterio.MemoryFile(archive.read(f"window.tif_{class_name}_mask.tif")) as memory, memory.open() as file:
            assert (file.crs, tuple(file.bounds)) == ("EPSG:4326", BOUNDS)
            np.testing.assert_array_equal(file.read(1) == 1, drawn.get(class_name, np.zeros((350, 525))) == 1)
    assert drawn  # some class has a mask under these rules


def test_downloads_of_several_windows_cross_the_antimeridian(visitor: httpx2.Client, several: str, wide: Path) -> None:
    masks = {
        pattern["class_name"]: decode_rle(pattern["rle"], (350, 1050))
        for pattern in predict(visitor, wide.read_bytes(), name="wide.tif")["classes"]
    }
    archive = zipfile.ZipFile(io.BytesIO(download(visitor, several, "geotiff")))
    for class_name, mask in masks.items():
        with rasterio.MemoryFile(archive.read(f"wide.tif_{class_name}_mask.tif")) as memory, memory.open() as file:
            np.testing.assert_array_equal(file.read(1) == 1, mask)
    for feature in json.loads(download(visitor, several, "outlines"))["features"]:
        corners = np.concatenate([ring for polygon in feature["geometry"]["coordinates"] for ring in polygon])
        assert (np.abs(corners[:, 0]) >= 158).all()
        assert (np.abs(corners[:, 0]) <= 180).all()


def test_a_place_is_needed_for_maps_and_one_window_for_submissions(
    visitor: httpx2.Client, picture: Path, several: str
) -> None:
    plain = upload(visitor, picture)
    for identifier, kind, message in (
        (plain, "geotiff", "no GeoTIFF without a place"),
        (several, "submission", r"wide.tif: a submission holds masks of (350, 525), these have (350, 1050)"),
    ):
        response = visitor.post(f"/api/pictures/{identifier}/download/{kind}", json={"rules": MASKED})
        assert (response.status_code, message in response.json()["error"]) == (422, True)
    response = visitor.put(f"/api/pictures/{several}/truth", content=b"Image_Label,EncodedPixels\n")
    assert (response.status_code, "fills one window" in response.json()["error"]) == (422, True)


def test_problems_name_the_file_of_the_visitor(
    client: httpx2.Client, image: Image, geotiff: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    placeless = write_geotiff(tmp_path / "placeless.tif", image).read_bytes()
    content, png = geotiff.read_bytes(), write_picture(tmp_path / "plain.png", image).read_bytes()
    for sent, query, message in (
        (placeless, {}, "it.tif: a TIFF without a coordinate reference system or transform"),
        (content[: len(content) // 2], {}, "it.tif: cannot be read as a GeoTIFF"),
        (content, {"bounds": "-61,10,-40,24"}, "it.tif: has its own place; leave out the bounds"),
        (png, {"bounds": "-61,10,-40"}, "expected four numbers W,S,E,N in degrees"),
        (png, {"bounds": "-61,10,-40,24", "time": "yesterday"}, "time 'yesterday'; expected ISO 8601 in UTC"),
        (png, {"bounds": "-61,70,-40,84"}, "the scene lies poleward of 60°"),
    ):
        response = client.post("/api/predict", params={"name": "it.tif", **query}, content=sent)
        assert (response.status_code, message in response.json()["error"]) == (422, True), response.text
        assert str(folder) not in response.text
    assert not list(folder.iterdir())


def test_a_small_file_that_decodes_to_a_huge_image_is_refused(client: httpx2.Client, tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    layout = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:4326", "sparse_ok": True}
    size = {
        "height": 20_000,
        "width": 30_000,
        "transform": Affine(*Grid.from_bounds(BOUNDS, (20_000, 30_000)).transform),
    }
    rasterio.open(path, "w", tiled=True, blockxsize=4096, blockysize=4096, **layout, **size).close()
    response = client.post("/api/predict", params={"name": path.name}, content=path.read_bytes())
    assert (response.status_code, "at most 100000000 pixels" in response.json()["error"]) == (413, True)


def test_a_scene_of_too_many_windows_is_refused(client: httpx2.Client, image: Image, tmp_path: Path) -> None:
    world = write_geotiff(tmp_path / "world.tif", image[:100, :200], Grid.from_bounds((-180, -90, 180, 90), (100, 200)))
    response = client.post("/api/predict", params={"name": "world.tif"}, content=world.read_bytes())
    assert (response.status_code, "the app reads at most 60" in response.json()["error"]) == (422, True)


def test_without_the_extra_a_geotiff_names_the_command_that_installs_it(
    opened: AppState, geotiff: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(UserError, match=r"rasterio is not installed; run `.*nephoscope\[earth\]'"):
        read_upload(opened.model, opened.rules, geotiff.read_bytes(), "a.tif", Placing())
    placed = read_upload(opened.model, opened.rules, picture.read_bytes(), f"{NAME}.jpg", Placing())
    assert placed.place is not None


def test_a_stretched_image_has_a_note(client: httpx2.Client, image: Image, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "square.png", image[:, :350])
    assert "it is stretched to 1.500" in predict(client, path.read_bytes())["notes"][0]
    assert predict(client, write_picture(path, image).read_bytes())["notes"] == []


def test_the_page_and_the_api_decide_a_placed_image_the_same(
    visitor: httpx2.Client, opened: AppState, one: str, geotiff: Path
) -> None:
    decided = decide(visitor, one, tuned_rules(opened.rules))["classes"]
    predicted = predict(visitor, geotiff.read_bytes(), name="window.tif")["classes"]
    assert [row["presence"] for row in decided] == [row["presence"] for row in predicted]
