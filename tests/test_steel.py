"""Steel in `predict`, the app and `explain`: its classes and its shape, and black that is part of the image."""

from pathlib import Path

import httpx2
import numpy as np
import pandas as pd
import pytest

from nephoscope.app.options import Bounds
from nephoscope.app.state import open_state
from nephoscope.batch.heat_maps import explain_pictures
from nephoscope.batch.predict import predict_pictures
from nephoscope.data.images import read_image
from nephoscope.masks.rle import decode_rle
from tests.builders.app_requests import decide, uniform_rules, upload
from tests.builders.app_server import running
from tests.builders.steel import STEEL, STRIP, write_plate, write_steel_model

KEYS = [f"plate.jpg_{name}" for name in STEEL.classes]

pytestmark = pytest.mark.xdist_group("steel")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_steel_model(tmp_path_factory.mktemp("steel"))


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plate(tmp_path_factory.mktemp("plates") / "plate.jpg")


def covers_the_strip(rle: str) -> bool:
    mask = decode_rle(rle, (256, 1600))
    return bool(mask[:, STRIP].all())


def test_predict_writes_masks_of_steel(model: Path, plate: Path, tmp_path: Path) -> None:
    predict_pictures([str(plate)], model, tmp_path, engine="torch")
    submission = pd.read_csv(tmp_path / "submission.csv", keep_default_na=False)
    assert submission.columns.tolist() == ["ImageId_ClassId", "EncodedPixels"]
    assert submission["ImageId_ClassId"].tolist() == KEYS
    assert all(map(covers_the_strip, submission["EncodedPixels"]))
    summary = pd.read_csv(tmp_path / "summary.csv", dtype={"class_name": str})
    assert summary["class_name"].tolist() == ["1", "2", "3", "4"]
    assert set(summary["visible_share"]) == set(summary["area_share"]) == {1}
    masks = [read_image(path) for path in sorted(tmp_path.glob("masks/*.png"))]
    assert [mask.shape for mask in masks] == [(256, 1600, 3)] * 4
    assert all(mask[:, STRIP].min() == 255 for mask in masks)


def test_the_app_shows_and_downloads_masks_of_steel(model: Path, plate: Path) -> None:
    changes = uniform_rules(1)
    with (
        running(open_state(model, "torch", Bounds())) as address,
        httpx2.Client(base_url=address, timeout=60) as client,
    ):
        response = client.post("/api/predict", params={"name": plate.name}, content=plate.read_bytes()).json()
        own = upload(client, plate)
        shown = client.get(f"/api/pictures/{own}").json()
        truth = "\n".join(["ImageId,ClassId,EncodedPixels", f"plate.jpg,1,1 {256 * 1600}"])
        compared = client.put(f"/api/pictures/{own}/truth", content=truth.encode()).json()
        decision = decide(client, own, changes)
        file = client.post(f"/api/pictures/{own}/download/submission", json={"rules": changes}).text
        heat = client.get(f"/api/pictures/{own}/heat/3").headers["content-type"]
    assert (response["shape"], response["visible_share"]) == ([256, 1600], 1)
    assert [result["class_name"] for result in response["classes"]] == ["1", "2", "3", "4"]
    assert all(covers_the_strip(result["rle"]) for result in response["classes"])
    assert (shown["invisible"], shown["has_output_shape"], shown["place"]) == ("", True, None)
    assert compared["truth_shares"] == [1, 0, 0, 0]
    assert [result["dice"] for result in decision["classes"]] == [1, 0, 0, 0]
    header, *rows = file.splitlines()
    assert header == "ImageId_ClassId,EncodedPixels"
    assert [row.partition(",")[0] for row in rows] == KEYS
    assert heat == "image/png"


def test_explain_draws_heat_maps_of_steel_also_on_black(model: Path, plate: Path, tmp_path: Path) -> None:
    assert explain_pictures([str(plate)], model, tmp_path) == (1, 0)
    summary = pd.read_csv(tmp_path / "summary.csv", dtype={"class_name": str})
    assert summary["class_name"].tolist() == ["1", "2", "3", "4"]
    assert summary["presence"].between(0, 1, inclusive="neither").all()
    drawn = [read_image(tmp_path / name) for name in summary["file"]]
    height, width, _ = drawn[0].shape
    assert width / height == pytest.approx(1600 / 256, rel=0.05)
    strip = slice(round(width * 1300 / 1600), None)
    assert max(np.max(image[:, strip]) for image in drawn) > 60  # of 255; heat, because the plate is black there
