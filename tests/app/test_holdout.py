"""A finished run in the app: with the tuned rules it shows the results of stage `evaluate`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx2
import numpy as np
import pandas as pd
import pytest

from nephoscope.app.curves import Curve, Curves, Point
from nephoscope.app.holdout import _read_rows
from nephoscope.app.options import Bounds
from nephoscope.app.state import AppState, open_state
from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.errors import UserError
from nephoscope.files import read_json, write_json
from tests.builders.app_requests import decide, tuned_rules, uniform_rules


@pytest.fixture
def client(run_server: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=run_server, timeout=60) as client:
        yield client


@pytest.fixture
def scores(exported_run: Artifacts) -> pd.DataFrame:
    return pd.read_csv(exported_run.evaluate.tables / "scores.csv", dtype={"image_id": str})


def test_the_list_has_the_scores_of_evaluate(
    client: httpx2.Client, scores: pd.DataFrame, exported_run: Artifacts
) -> None:
    rows = client.get("/api/run/pictures").json()
    pictures = pd.read_csv(exported_run.evaluate.tables / "pictures.csv", dtype={"image_id": str})
    assert [row["image_id"] for row in rows] == pictures["image_id"].tolist()
    assert [row["mean_dice"] for row in rows] == pytest.approx(pictures["mean"].tolist())
    assert [row["dices"] for row in rows] == [
        pytest.approx(dices) for dices in pictures.iloc[:, 2:].to_numpy().tolist()
    ]
    first = scores[scores["image_id"] == rows[0]["image_id"]]
    assert rows[0]["annotated"] == (first["truth_area"] > 0).tolist()
    assert rows[0]["predicted"] == (first["predicted_area"] > 0).tolist()


def test_tuned_rules_give_the_dice_of_evaluate(
    client: httpx2.Client, scores: pd.DataFrame, opened_run: AppState
) -> None:
    for image_id, rows in scores.groupby("image_id"):
        classes = decide(client, f"run:{image_id}", tuned_rules(opened_run.rules))["classes"]
        assert [result["dice"] for result in classes] == pytest.approx(rows["dice"].tolist())
        assert [result["score"] for result in classes] == pytest.approx(rows["presence"].tolist())


def test_a_run_whose_model_has_other_rules_is_rejected(exported_run: Artifacts, tmp_path: Path) -> None:
    run = Artifacts(Path(shutil.copytree(exported_run.root, tmp_path / "artifacts")))
    rules = read_json(run.tune.rules)
    rules["rules"][0]["min_area"] += 1
    write_json(run.tune.rules, rules)
    with pytest.raises(UserError, match="dvc repro export"):
        open_state(None, "torch", Bounds(), run=run.root)


def test_changed_rules_change_dice_and_the_point_on_the_curve(client: httpx2.Client, exported_run: Artifacts) -> None:
    image_id = client.get("/api/run/pictures").json()[-1]["image_id"]
    low, high = (decide(client, f"run:{image_id}", uniform_rules(level)) for level in (30, 140))
    assert low["mean_dice"] != high["mean_dice"]
    table = pd.read_csv(exported_run.evaluate.plots / "pixels.csv")
    for index, name in enumerate(("Fish", "Flower", "Gravel", "Sugar")):
        rows = table[(table["class_name"] == name) & (table["threshold"].mul(255).round() >= 140)]
        expected = rows[["recall", "precision"]].iloc[-1].to_dict()
        assert high["classes"][index]["pixel_point"] == expected
        assert low["classes"][index]["pixel_point"]["recall"] > expected["recall"]


def test_class_names_that_are_numbers_are_read_as_text(tmp_path: Path) -> None:
    run, classes = Artifacts(tmp_path), ("1", "2")
    for folder in (run.evaluate.tables, run.evaluate.plots):
        folder.mkdir(parents=True)
    rows = [("a.jpg", name, 0.5, 9, 8) for name in classes]
    columns = ["image_id", "class_name", "dice", "truth_area", "predicted_area"]
    pd.DataFrame(rows, columns=columns).to_csv(run.evaluate.tables / "scores.csv", index=False)
    for kind in ("pixels", "presence"):
        averages = pd.DataFrame({"class_name": classes, "average_precision": 0.5})
        averages.to_csv(run.evaluate.tables / f"{kind}.csv", index=False)
        points = pd.DataFrame({"class_name": classes, "threshold": 0.5, "recall": 1.0, "precision": 0.7})
        points.to_csv(run.evaluate.plots / f"{kind}.csv", index=False)
    assert [row.dices for row in _read_rows(run, classes)] == [[0.5, 0.5]]
    assert [curve.at(0.5).precision for curve in Curves.read(run.evaluate, classes).pixels] == [0.7, 0.7]  # type: ignore[union-attr]


def test_holdout_images_are_shown_with_truth(client: httpx2.Client, exported_run: Artifacts) -> None:
    row = client.get("/api/run/pictures").json()[-1]
    shown = client.get(f"/api/pictures/run:{row['image_id']}").json()
    assert [bool(path) for path in shown["truth"]] == row["annotated"]
    preview = client.get(f"/api/pictures/run:{row['image_id']}/preview").content
    drawn = cv2.imread(str(exported_run.synthesize.dataset / "train_images" / row["image_id"]))
    assert cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_COLOR).shape == drawn.shape
    thumbnail = client.get(f"/api/run/thumbnails/{row['image_id']}").content
    assert cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_COLOR).shape == (64, 96, 3)


@pytest.mark.parametrize("path", ["/api/pictures/run:nobody.jpg", "/api/run/thumbnails/nobody.jpg"])
def test_an_unknown_holdout_image_is_not_found(client: httpx2.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_visitors_cannot_change_the_truth_of_the_run(client: httpx2.Client) -> None:
    image_id = client.get("/api/run/pictures").json()[0]["image_id"]
    response = client.put(f"/api/pictures/run:{image_id}/truth", content=b"Image_Label,EncodedPixels\n")
    assert response.status_code == 404


def test_curves_come_with_the_tuned_point(client: httpx2.Client, opened_run: AppState) -> None:
    image_id = client.get("/api/run/pictures").json()[0]["image_id"]
    decided = decide(client, f"run:{image_id}", tuned_rules(opened_run.rules))["classes"]
    curves = client.get("/api/run/curves").json()
    assert [curve["tuned"] for curve in curves["pixels"]] == [result["pixel_point"] for result in decided]
    assert [curve["tuned"] for curve in curves["presence"]] == [result["presence_point"] for result in decided]


def test_adaptive_thresholds_have_no_point_on_the_curve(opened_run: AppState) -> None:
    assert opened_run.holdout is not None
    curves = opened_run.holdout.curves
    for power in (0.0, 1.0):
        response = curves.to_response(opened_run.rules.model_copy(update={"adaptive_power": power}))
        assert [curve.adaptive for curve in response["pixels"]] == [power > 0] * len(opened_run.rules.classes)
        assert [curve.tuned is None for curve in response["pixels"]] == [power > 0] * len(opened_run.rules.classes)
        assert not any(curve.adaptive for curve in response["presence"])


def test_without_the_data_set_images_come_from_the_cache(
    opened_run: AppState, exported_run: Artifacts, tmp_path: Path
) -> None:
    elsewhere = open_state(None, "torch", Bounds(), run=exported_run.root, dataset=tmp_path)
    assert elsewhere.holdout is not None
    assert opened_run.holdout is not None
    picture = elsewhere.holdout.picture(elsewhere.holdout.rows[0].image_id)
    assert cv2.imdecode(np.frombuffer(picture.preview, np.uint8), cv2.IMREAD_COLOR).shape == (350, 525, 3)


@pytest.mark.parametrize(
    ("threshold", "reached"), [(0.9, None), (0.8, 0), (0.7999996, 0), (0.5, 0), (0.4, 1), (0.0, 2)]
)
def test_the_point_of_a_threshold_includes_all_scores_at_or_above_it(threshold: float, reached: int | None) -> None:
    recall, precision = np.array([0.1, 0.5, 1.0]), np.array([1.0, 0.8, 0.4])
    curve = Curve(np.array([0.8, 0.4, 0.2]), recall, precision, 0.7)
    expected = None if reached is None else Point(recall=recall[reached], precision=precision[reached])
    assert curve.at(threshold) == expected


def test_a_curve_without_positives_has_no_average_precision() -> None:
    nothing = np.zeros(0)
    curve = Curve(nothing, nothing, nothing, float("nan"))
    response = curve.to_response(curve.at(0.5))
    assert (response.recall, response.average_precision, response.tuned) == ([], None, None)


def test_run_and_model_exclude_each_other(exported_run: Artifacts) -> None:
    with pytest.raises(UserError, match="remove --model"):
        open_state(SHIPPED, "torch", Bounds(), run=exported_run.root)


def test_a_data_set_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--dataset holds the full-size images of a run; add --run"):
        open_state(None, "auto", Bounds(), None, tmp_path)


def test_a_missing_data_set_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mistyped: no such folder; .*remove --dataset"):
        open_state(None, "torch", Bounds(), run=tmp_path, dataset=tmp_path / "mistyped")


def test_an_unfinished_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"python -m stages\.export"):
        open_state(None, "torch", Bounds(), run=tmp_path)


def test_without_a_run_there_is_no_holdout(server: str) -> None:
    response = httpx2.get(f"{server}/api/run/pictures")
    assert (response.status_code, "--run artifacts" in response.json()["error"]) == (404, True)
