import time
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction, ProbabilityStore, atomic_store
from tests.builders.labelled_scenes import INFERENCE_SETTINGS


def prediction(seed: int) -> Prediction:
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (2, 5, 7)).astype(np.uint8)
    return Prediction(levels, rng.random((5, 7)) > 0.5, rng.random(2), rng.random(2))


def test_predictions_are_written_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "holdout.zarr.zip"
    with atomic_store(path, ["x.jpg", "y.jpg"], ["a", "b"], (5, 7), INFERENCE_SETTINGS) as writer:
        writer.write(1, prediction(1))
        writer.write(0, prediction(0))
    store = ProbabilityStore.open(path)
    assert (len(store), store.image_ids, store.classes, store.inference_settings) == (
        2,
        ("x.jpg", "y.jpg"),
        ("a", "b"),
        INFERENCE_SETTINGS,
    )
    for index in range(2):
        for stored, expected in zip(store[index], prediction(index), strict=True):
            assert np.allclose(stored, expected)


def test_equal_predictions_give_equal_files_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in (1_000_000_000, 1_700_000_000):
        monkeypatch.setattr(time, "time", lambda second=second: second)
        with atomic_store(tmp_path / f"{second}.zarr.zip", ["x.jpg"], ["a", "b"], (5, 7), INFERENCE_SETTINGS) as writer:
            writer.write(0, prediction(0))
    earlier, later = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert earlier == later
    with ZipFile(tmp_path / "1000000000.zarr.zip") as zipped:
        assert zipped.testzip() is None


def test_an_incomplete_store_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "holdout.zarr.zip"

    def write_half() -> None:
        with atomic_store(path, ["x.jpg", "y.jpg"], ["a", "b"], (5, 7), INFERENCE_SETTINGS) as writer:
            writer.write(0, prediction(0))

    with pytest.raises(ValueError, match=r"1 images were not written, the first is y\.jpg"):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_store_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"stages\.predict"):
        ProbabilityStore.open(tmp_path / "holdout.zarr.zip")


def test_an_empty_store_can_be_read(tmp_path: Path) -> None:
    with atomic_store(tmp_path / "empty.zarr.zip", [], ["a"], (5, 7), INFERENCE_SETTINGS):
        pass
    assert len(ProbabilityStore.open(tmp_path / "empty.zarr.zip")) == 0
