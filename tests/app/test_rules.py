"""Changed rules: masks, Dice and downloads equal those of the pipeline functions."""

import io
import json
import zipfile
from pathlib import Path

import cv2
import httpx2
import numpy as np
import pandas as pd
import pytest

from nephoscope.app.decisions import Decision, RequestRule
from nephoscope.app.pictures import predict_content
from nephoscope.app.state import AppState
from nephoscope.data.formats import FORMATS
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.result import raw_presences
from nephoscope.masks.dice import dice
from nephoscope.masks.geometry import resize_mask
from nephoscope.masks.outlines import exact_path
from nephoscope.masks.rle import decode_rle
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.presence import presences
from nephoscope.rules.rules import Rules
from tests.builders.app_requests import decide, tuned_rules, uniform_rules, upload

CLOUDS = FORMATS["clouds"]


@pytest.fixture(scope="module")
def prediction(opened: AppState, picture: Path) -> Prediction:
    return predict_content(opened.model, picture.read_bytes())[0]


def masks_by(rules: Rules, changes: list[dict[str, float]], prediction: Prediction) -> np.ndarray:
    changed = rules.model_copy(update={"rules": tuple(RequestRule.model_validate(change) for change in changes)})
    presence = presences(raw_presences([prediction]), changed)[0]
    return decide_masks(presence, prediction.top_mean, prediction.levels, prediction.visible, changed)


@pytest.mark.parametrize(("level", "min_area"), [(1, 0), (60, 0), (60, 5000), (200, 0)])
def test_masks_equal_those_of_the_pipeline(
    client: httpx2.Client, picture: Path, opened: AppState, prediction: Prediction, level: int, min_area: int
) -> None:
    changes = uniform_rules(level, min_area=min_area)
    response = decide(client, upload(client, picture), changes)
    masks = masks_by(opened.rules, changes, prediction)
    assert [result["area_share"] for result in response["classes"]] == pytest.approx(masks.mean(axis=(1, 2)))
    assert [result["outline"] for result in response["classes"]] == [exact_path(mask) for mask in masks]
    assert response["mean_dice"] is None


def test_the_presence_threshold_decides_which_classes_are_present(
    client: httpx2.Client, picture: Path, opened: AppState
) -> None:
    own = upload(client, picture)
    scores = [result["score"] for result in decide(client, own, tuned_rules(opened.rules))["classes"]]
    just_there = [{"presence_threshold": score, "pixel_threshold": 90, "min_area": 0} for score in scores]
    assert all(result["present"] for result in decide(client, own, just_there)["classes"])
    never = decide(client, own, uniform_rules(1, presence=2))["classes"]
    assert not any(result["present"] or result["outline"] or result["area_share"] for result in never)
    assert [result["confidence"] for result in never] == pytest.approx([1 - result["presence"] for result in never])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (uniform_rules(0), "greater than or equal to 1"),
        (uniform_rules(256), "less than or equal to 255"),
        (uniform_rules(9, min_area=-1), "min_area"),
        (uniform_rules(9, min_area=2**40), "less than or equal to 2147483647"),
        (uniform_rules(9, presence=2.5), "less than or equal to 2"),
        (uniform_rules(9)[:3], "3 rules; expected 4, for Fish, Flower, Gravel, Sugar"),
        ([{**uniform_rules(9)[0], "core_area": 9}] * 4, "core_area"),
        ([{"pixel_threshold": 9}] * 4, "presence_threshold"),
    ],
)
def test_invalid_rules_are_rejected(
    client: httpx2.Client, picture: Path, changes: list[dict[str, float]], message: str
) -> None:
    response = client.post(f"/api/pictures/{upload(client, picture)}/masks", json={"rules": changes})
    assert response.status_code == 422
    assert message in response.json()["error"]


def test_downloads_contain_the_masks_of_the_changed_rules(
    client: httpx2.Client, picture: Path, opened: AppState, prediction: Prediction
) -> None:
    changes = uniform_rules(90)
    masks, own = masks_by(opened.rules, changes, prediction), upload(client, picture)
    assert masks.any()  # otherwise every comparison below would hold
    files = {
        kind: client.post(f"/api/pictures/{own}/download/{kind}", json={"rules": changes})
        for kind in ("submission", "masks", "outlines")
    }
    assert [file.headers["content-disposition"].partition("''")[2] for file in files.values()] == [
        f"{picture.stem}-submission.csv",
        f"{picture.stem}-masks.zip",
        f"{picture.stem}-outlines.geojson",
    ]
    table = pd.read_csv(io.BytesIO(files["submission"].content), keep_default_na=False)
    assert table["Image_Label"].tolist() == [f"{picture.name}_{name}" for name in CLOUDS.classes]
    assert all(
        (decode_rle(rle, (350, 525)) == mask).all() for rle, mask in zip(table["EncodedPixels"], masks, strict=True)
    )
    with zipfile.ZipFile(io.BytesIO(files["masks"].content)) as archive:
        assert archive.namelist() == [f"{picture.stem}_{name}.png" for name in CLOUDS.classes]
        for name, mask in zip(archive.namelist(), masks, strict=True):
            drawn = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
            assert ((drawn == 255) == mask).all()
    outlines = json.loads(files["outlines"].content)
    assert outlines["image_id"] == picture.name
    assert [feature["properties"]["class_name"] for feature in outlines["features"]] == [
        name for name, mask in zip(CLOUDS.classes, masks, strict=True) if mask.any()
    ]
    assert {"presence", "confidence", "unsure", "present", "area_share"} < set(outlines["features"][0]["properties"])


def test_a_nul_in_the_name_breaks_no_download(client: httpx2.Client, picture: Path) -> None:
    own = client.post("/api/pictures", params={"name": "a\0b.jpg"}, content=picture.read_bytes()).json()["id"]
    masks = client.post(f"/api/pictures/{own}/download/masks", json={"rules": uniform_rules(90)})
    with zipfile.ZipFile(io.BytesIO(masks.content)) as archive:
        assert archive.namelist() == [f"ab_{name}.png" for name in CLOUDS.classes]


def test_dice_against_a_csv_of_the_competition(
    client: httpx2.Client, picture: Path, scenes: Path, opened: AppState, prediction: Prediction
) -> None:
    own, changes = upload(client, picture), uniform_rules(90)
    response = client.put(f"/api/pictures/{own}/truth", content=(scenes / "train.csv").read_bytes())
    assert response.status_code == 200, response.text
    labels = pd.read_csv(scenes / "train.csv", keep_default_na=False).set_index("Image_Label")["EncodedPixels"]
    truth = [
        resize_mask(decode_rle(labels[f"{picture.name}_{name}"], CLOUDS.rle_shape), (350, 525))
        for name in CLOUDS.classes
    ]
    assert response.json()["truth_shares"] == pytest.approx([mask.mean() for mask in truth])
    expected = [dice(true, mask) for true, mask in zip(truth, masks_by(opened.rules, changes, prediction), strict=True)]
    decision = decide(client, own, changes)
    assert [result["dice"] for result in decision["classes"]] == pytest.approx(expected)
    assert decision["mean_dice"] == pytest.approx(np.mean(expected))


def four_rows(image_id: str, rle: str = "") -> str:
    return "".join(f"{image_id}_{name},{rle}\n" for name in CLOUDS.classes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (four_rows("a.jpg") + four_rows("b.jpg"), "no row for {name}; it holds 2 images: a.jpg, b.jpg"),
        (four_rows("{name}", "1 2 3"), "line 2: "),
        (four_rows("{name}") + "{name}_Dog,\n", "'Dog'"),
    ],
)
def test_the_error_says_why_truth_cannot_be_used(client: httpx2.Client, picture: Path, rows: str, message: str) -> None:
    content = ("Image_Label,EncodedPixels\n" + rows).replace("{name}", picture.name)
    response = client.put(f"/api/pictures/{upload(client, picture)}/truth", content=content.encode())
    assert response.status_code == 422
    assert message.replace("{name}", picture.name) in response.json()["error"]


@pytest.mark.parametrize("content", [b"\xff\xfe no text", b"a,b\n1,2\n", b"Image_Label,EncodedPixels\n"])
def test_a_csv_without_truth_is_rejected(client: httpx2.Client, picture: Path, content: bytes) -> None:
    assert client.put(f"/api/pictures/{upload(client, picture)}/truth", content=content).status_code == 422


def test_truth_with_too_many_lines_is_rejected(client: httpx2.Client, picture: Path) -> None:
    content = b"Image_Label,EncodedPixels\n" + 100_000 * b"a\n"
    response = client.put(f"/api/pictures/{upload(client, picture)}/truth", content=content)
    assert (response.status_code, "100001 lines" in response.json()["error"]) == (413, True)


@pytest.mark.parametrize("path", ["masks", "download/csv"])
@pytest.mark.parametrize("known", [True, False])
def test_an_endless_body_of_rules_is_rejected(client: httpx2.Client, picture: Path, path: str, known: bool) -> None:
    own = upload(client, picture) if known else "unknown"
    endless = (b'{"rules": [' + 10_000 * b" " for _ in range(50))  # in chunks, without Content-Length
    assert client.post(f"/api/pictures/{own}/{path}", content=endless).status_code == 413


def test_a_submission_can_be_used_as_truth(client: httpx2.Client, picture: Path) -> None:
    own, changes = upload(client, picture), uniform_rules(60)
    submission = client.post(f"/api/pictures/{own}/download/submission", json={"rules": changes}).content
    client.put(f"/api/pictures/{own}/truth", content=submission)
    assert decide(client, own, changes)["mean_dice"] == 1
    assert decide(client, own, uniform_rules(120))["mean_dice"] < 1


def test_truth_of_a_single_image_needs_no_matching_name(client: httpx2.Client, picture: Path) -> None:
    content = "Image_Label,EncodedPixels\n" + four_rows("another.jpg", "1 1400")
    response = client.put(f"/api/pictures/{upload(client, picture)}/truth", content=content.encode())
    assert response.json()["truth_shares"] == pytest.approx([0] * 4, abs=0.01)


def test_outlines_keep_their_corners_and_holes() -> None:
    mask = np.zeros((4, 6), bool)
    mask[:3, :4] = True
    mask[1, 1] = False
    path = exact_path(mask)
    assert path.count("M") == path.count("Z") == 2
    assert path.count("L") == 7 + 3  # a rectangle with cut corners, and the diamond of one pixel
    assert exact_path(np.zeros((4, 6), bool)) == ""


def test_a_decision_compares_its_scores(opened: AppState, prediction: Prediction) -> None:
    decision = Decision.of_prediction("a.jpg", prediction, opened.rules)
    thresholds = [rule.presence_threshold for rule in opened.rules.rules]
    assert decision.result.present.tolist() == (np.array(decision.scores) >= thresholds).tolist()
    assert decision.dices(None) == [None] * 4
