import pandas as pd

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.files import read_json


def test_figures_are_measured_on_holdout_alone(finished: Artifacts) -> None:
    manifest = Manifest.load(finished.prepare.manifest)
    holdout = set(manifest.images.loc[manifest.rows("holdout"), "image_id"])
    scores = pd.read_csv(finished.evaluate.tables / "scores.csv")
    assert set(scores["image_id"]) == holdout
    assert read_json(finished.evaluate.metrics)["pictures"] == len(holdout)


def test_all_tables_and_curves_are_there(finished: Artifacts) -> None:
    tables = {path.stem for path in finished.evaluate.tables.iterdir()}
    assert tables == {
        "dice", "steps", "presence", "pixels", "pictures", "scores", "reliability", "brier", "confidence_marks",
    }  # fmt: skip
    curve = pd.read_csv(finished.evaluate.plots / "presence.csv")
    assert set(curve["class_name"]) <= {"Fish", "Flower", "Gravel", "Sugar", "any"}
    assert set(pd.read_csv(finished.evaluate.plots / "pixels.csv")["class_name"]) <= {
        "Fish",
        "Flower",
        "Gravel",
        "Sugar",
    }


def test_the_metrics_say_how_sure_they_are_and_beside_what(finished: Artifacts) -> None:
    dice = read_json(finished.evaluate.metrics)["dice"]
    assert dice["low"] <= dice["mean"] <= dice["high"]
    assert dice["references"]["human union against human union, real pictures"] == 0.584
    assert set(dice) >= {"Fish", "Flower", "Gravel", "Sugar"}
