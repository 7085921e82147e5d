import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.files import read_json


def test_only_holdout_images_are_scored(finished: Artifacts) -> None:
    manifest = Manifest.load(finished.prepare.manifest)
    holdout = set(manifest.images.loc[manifest.rows("holdout"), "image_id"])
    scores = pd.read_csv(finished.evaluate.tables / "scores.csv")
    assert set(scores["image_id"]) == holdout


def test_all_tables_and_curves_are_written(finished: Artifacts) -> None:
    tables = {path.stem for path in finished.evaluate.tables.iterdir()}
    assert tables == {
        "dice", "steps", "presence", "pixels", "pictures", "scores", "reliability", "brier", "confidence_levels",
    }  # fmt: skip
    presence, pixels = (
        set(pd.read_csv(finished.evaluate.plots / f"{name}.csv")["class_name"]) for name in ("presence", "pixels")
    )
    assert {"any"} <= presence <= {"Fish", "Flower", "Gravel", "Sugar", "any"}
    assert pixels == presence - {"any"}


def test_the_metrics_are_the_dice_with_its_interval_and_that_of_empty_masks(finished: Artifacts) -> None:
    metrics = read_json(finished.evaluate.metrics)
    dice = pd.read_csv(finished.evaluate.tables / "dice.csv").set_index(["reference", "class_name"])["dice"]
    assert metrics["low"] <= metrics["dice"] <= metrics["high"]
    assert metrics["dice"] == pytest.approx(dice["nephoscope", "mean"], abs=6e-4)
    assert metrics["empty"] == pytest.approx(dice["all masks empty", "mean"], abs=6e-4)
