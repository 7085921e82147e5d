"""A moved rule: masks, Dice and files are what the pipeline's own functions decide."""

import io
import json
import zipfile
from pathlib import Path

import cv2
import httpx2
import numpy as np
import pandas as pd
import pytest

from nephoscope.app.decisions import Decision, Move, move_rules
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
from tests.builders.app_requests import bring, decide, every_pixel_from, tuned_moves

CLOUDS = FORMATS["clouds"]


@pytest.fixture(scope="module")
def prediction(opened: AppState, picture: Path) -> Prediction:
    return predict_content(opened.model, picture.read_bytes())[0]


def masks_by(rules: Rules, moves: list[dict[str, float]], prediction: Prediction) -> np.ndarray:
    moved = move_rules(rules, [Move(**move) for move in moves])
    presence = presences(raw_presences([prediction]), moved)[0]
    return decide_masks(presence, prediction.top_mean, prediction.levels, prediction.visible, moved)


@pytest.mark.parametrize(("level", "min_area"), [(1, 0), (60, 0), (60, 5000), (200, 0)])
def test_masks_are_those_of_the_pipeline(
    client: httpx2.Client, picture: Path, opened: AppState, prediction: Prediction, level: int, min_area: int
) -> None:
    moves = every_pixel_from(level, min_area=min_area)
    answer = decide(client, bring(client, picture), moves)
    masks = masks_by(opened.rules, moves, prediction)
    assert [one["area_share"] for one in answer["classes"]] == pytest.approx(masks.mean(axis=(1, 2)))
    assert [one["outline"] for one in answer["classes"]] == [exact_path(mask) for mask in masks]
    assert answer["mean_dice"] is None


def test_a_presence_threshold_decides_who_is_present(client: httpx2.Client, picture: Path, opened: AppState) -> None:
    own = bring(client, picture)
    scores = [one["score"] for one in decide(client, own, tuned_moves(opened.rules))["classes"]]
    just_there = [{"presence_threshold": score, "pixel_threshold": 90, "min_area": 0} for score in scores]
    assert all(one["present"] for one in decide(client, own, just_there)["classes"])
    never = decide(client, own, every_pixel_from(1, presence=2))["classes"]
    assert not any(one["present"] or one["outline"] or one["area_share"] for one in never)
    assert [one["confidence"] for one in never] == pytest.approx([1 - one["presence"] for one in never])


def test_a_moved_rule_replaces_the_tuned_one(opened: AppState) -> None:
    moved = move_rules(opened.rules, [Move(**move) for move in every_pixel_from(7)])
    assert [rule.pixel_threshold for rule in moved.rules] == [7] * 4


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        (every_pixel_from(0), "greater than or equal to 1"),
        (every_pixel_from(256), "less than or equal to 255"),
        (every_pixel_from(9, min_area=-1), "min_area"),
        (every_pixel_from(9)[:3], "3 rules; expected 4, for Fish, Flower, Gravel, Sugar"),
        ([{**every_pixel_from(9)[0], "core_area": 9}] * 4, "core_area"),
        ([{"pixel_threshold": 9}] * 4, "presence_threshold"),
    ],
)
def test_a_rule_that_is_none_is_refused(
    client: httpx2.Client, picture: Path, moves: list[dict[str, float]], told: str
) -> None:
    answer = client.post(f"/api/pictures/{bring(client, picture)}/masks", json={"rules": moves})
    assert answer.status_code == 422
    assert told in answer.json()["error"]


def test_the_files_hold_the_masks_of_the_moved_rule(
    client: httpx2.Client, picture: Path, opened: AppState, prediction: Prediction
) -> None:
    moves = every_pixel_from(90)
    masks, own = masks_by(opened.rules, moves, prediction), bring(client, picture)
    files = {
        kind: client.post(f"/api/pictures/{own}/download/{kind}", json={"rules": moves})
        for kind in ("submission", "masks", "outlines")
    }
    assert [file.headers["content-disposition"].partition("''")[2] for file in files.values()] == [
        f"{picture.stem}-submission.csv",
        f"{picture.stem}-masks.zip",
        f"{picture.stem}-outlines.geojson",
    ]
    table = pd.read_csv(io.BytesIO(files["submission"].content), keep_default_na=False)
    assert table["Image_Label"].tolist() == [f"{picture.name}_{name}" for name in CLOUDS.classes]
    assert [
        (decode_rle(rle, (350, 525)) == mask).all() for rle, mask in zip(table["EncodedPixels"], masks, strict=True)
    ]
    with zipfile.ZipFile(io.BytesIO(files["masks"].content)) as archive:
        assert archive.namelist() == [f"{picture.stem}_{name}.png" for name in CLOUDS.classes]
        for name, mask in zip(archive.namelist(), masks, strict=True):
            drawn = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
            assert ((drawn == 255) == mask).all()
    outlines = json.loads(files["outlines"].content)
    assert outlines["image_id"] == picture.name
    assert [one["properties"]["class_name"] for one in outlines["features"]] == [
        name for name, mask in zip(CLOUDS.classes, masks, strict=True) if mask.any()
    ]
    assert {"presence", "confidence", "unsure", "present", "area_share"} < set(outlines["features"][0]["properties"])


def test_dice_against_a_csv_of_the_competition(
    client: httpx2.Client, picture: Path, scenes: Path, opened: AppState, prediction: Prediction
) -> None:
    own, moves = bring(client, picture), every_pixel_from(90)
    answer = client.put(f"/api/pictures/{own}/truth", content=(scenes / "train.csv").read_bytes())
    assert answer.status_code == 200, answer.text
    labels = pd.read_csv(scenes / "train.csv", keep_default_na=False).set_index("Image_Label")["EncodedPixels"]
    truth = [
        resize_mask(decode_rle(labels[f"{picture.name}_{name}"], CLOUDS.rle_shape), (350, 525))
        for name in CLOUDS.classes
    ]
    assert answer.json()["truth_shares"] == pytest.approx([mask.mean() for mask in truth])
    expected = [dice(*pair) for pair in zip(truth, masks_by(opened.rules, moves, prediction), strict=True)]
    found = decide(client, own, moves)
    assert [one["dice"] for one in found["classes"]] == pytest.approx(expected)
    assert found["mean_dice"] == pytest.approx(np.mean(expected))


def four_rows(image_id: str, rle: str = "") -> str:
    return "".join(f"{image_id}_{name},{rle}\n" for name in CLOUDS.classes)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (four_rows("a.jpg") + four_rows("b.jpg"), "no row for {name}; it holds 2 pictures: a.jpg, b.jpg"),
        (four_rows("{name}", "1 2 3"), "line 2: "),
        (four_rows("{name}") + "{name}_Dog,\n", "'Dog'"),
    ],
)
def test_truth_that_cannot_be_used_is_explained(client: httpx2.Client, picture: Path, rows: str, told: str) -> None:
    content = ("Image_Label,EncodedPixels\n" + rows).replace("{name}", picture.name)
    answer = client.put(f"/api/pictures/{bring(client, picture)}/truth", content=content.encode())
    assert answer.status_code == 422
    assert told.replace("{name}", picture.name) in answer.json()["error"]


@pytest.mark.parametrize("content", [b"\xff\xfe no text", b"a,b\n1,2\n", b"Image_Label,EncodedPixels\n"])
def test_a_table_that_is_no_truth_is_refused(client: httpx2.Client, picture: Path, content: bytes) -> None:
    assert client.put(f"/api/pictures/{bring(client, picture)}/truth", content=content).status_code == 422


def test_truth_of_too_many_lines_is_not_read(client: httpx2.Client, picture: Path) -> None:
    content = b"Image_Label,EncodedPixels\n" + 100_000 * b"a\n"
    answer = client.put(f"/api/pictures/{bring(client, picture)}/truth", content=content)
    assert (answer.status_code, "100001 lines" in answer.json()["error"]) == (413, True)


@pytest.mark.parametrize("path", ["masks", "download/csv"])
@pytest.mark.parametrize("known", [True, False])
def test_no_more_than_rules_take_is_read_as_rules(client: httpx2.Client, picture: Path, path: str, known: bool) -> None:
    one = bring(client, picture) if known else "nobodys"
    endless = (b'{"rules": [' + 10_000 * b" " for _ in range(50))  # in chunks: no Content-Length to tell it by
    assert client.post(f"/api/pictures/{one}/{path}", content=endless).status_code == 413


def test_a_submission_is_truth_too_though_it_is_written_smaller(client: httpx2.Client, picture: Path) -> None:
    own, moves = bring(client, picture), every_pixel_from(60)
    submission = client.post(f"/api/pictures/{own}/download/submission", json={"rules": moves}).content
    client.put(f"/api/pictures/{own}/truth", content=submission)
    assert decide(client, own, moves)["mean_dice"] == 1
    assert decide(client, own, every_pixel_from(120))["mean_dice"] < 1


def test_the_truth_of_one_picture_fits_whatever_its_name(client: httpx2.Client, picture: Path) -> None:
    content = "Image_Label,EncodedPixels\n" + four_rows("another.jpg", "1 1400")
    answer = client.put(f"/api/pictures/{bring(client, picture)}/truth", content=content.encode())
    assert answer.json()["truth_shares"] == pytest.approx([0] * 4, abs=0.01)


def test_outlines_keep_their_corners_and_holes() -> None:
    mask = np.zeros((4, 6), bool)
    mask[:3, :4] = True
    mask[1, 1] = False
    path = exact_path(mask)
    assert path.count("M") == path.count("Z") == 2
    assert path.count("L") == 7 + 3  # a rectangle whose corners are cut, and a pixel's diamond
    assert exact_path(np.zeros((4, 6), bool)) == ""


def test_a_decision_compares_its_scores(opened: AppState, prediction: Prediction) -> None:
    decision = Decision(prediction, opened.rules)
    thresholds = [rule.presence_threshold for rule in opened.rules.rules]
    assert decision.decision.present[0].tolist() == (decision.scores >= thresholds).tolist()
    assert decision.dices(None) == [None] * 4
