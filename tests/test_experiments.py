"""Experiments: what is reused from the base, and means of several."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.experiments import average_stores, feeds
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction, ProbabilityStore, atomic_store
from nephoscope.settings.params import Params
from tests.builders.labelled_scenes import INFERENCE_SETTINGS


@pytest.mark.parametrize(
    ("weights", "fed_by"), [("segmenter", ("train_segmenter",)), ("bundled", ()), ("classifier.safetensors", ())]
)
def test_a_classifier_depends_on_the_segmenter_that_initialises_it(weights: str, fed_by: tuple[str, ...]) -> None:
    params = Params.model_validate({"train_classifier": {"weights": weights}})
    assert feeds("train_classifier", params) == fed_by


def test_predictions_depend_on_both_networks() -> None:
    assert feeds("train_segmenter", Params()) == ()
    assert feeds("predict", Params()) == ("train_segmenter", "train_classifier")


def write_store(path: Path, image_id: str, level: int, presence: float) -> Path:
    with atomic_store(path, [image_id], ["a"], (2, 3), INFERENCE_SETTINGS) as writer:
        levels, visible = np.full((1, 2, 3), level, np.uint8), np.ones((2, 3), bool)
        writer.write(0, Prediction(levels, visible, np.array([presence]), np.array([1 - presence])))
    return path


def test_a_store_that_is_named_twice_counts_twice(tmp_path: Path) -> None:
    first = write_store(tmp_path / "one.zarr.zip", "x.jpg", 30, 0.6)
    other = write_store(tmp_path / "other.zarr.zip", "x.jpg", 60, 0.9)
    average_stores([first, other, other], tmp_path / "mean.zarr.zip")
    mean = ProbabilityStore.open(tmp_path / "mean.zarr.zip")[0]
    assert (mean.levels == 50).all()
    assert mean.visible.all()
    assert mean.classifier[0] == pytest.approx(0.8)
    assert mean.top_mean[0] == pytest.approx(0.2)


def test_stores_of_different_images_are_rejected(tmp_path: Path) -> None:
    paths = [write_store(tmp_path / f"{name}.zarr.zip", f"{name}.jpg", 30, 0.6) for name in "xy"]
    with pytest.raises(UserError, match=r"y\.zarr\.zip: has other images"):
        average_stores(paths, tmp_path / "mean.zarr.zip")
    assert not (tmp_path / "mean.zarr.zip").exists()
