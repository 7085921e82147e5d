"""`nephoscope predict` with the portable model of a finished run."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.batch import predict as predicting
from nephoscope.batch.pictures import Decided
from nephoscope.batch.plan import Plan
from nephoscope.batch.predict import Job, predict_pictures
from nephoscope.data.images import read_image
from nephoscope.provenance import Provenance
from tests.builders.command_line import run_command, run_process


@pytest.fixture
def pictures(finished: Artifacts, tmp_path: Path) -> Path:
    """Three images and two files that are none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in sorted((finished.synthesize.dataset / "test_images").iterdir()):
        shutil.copy(path, folder)
    (folder / "zz-empty.jpg").touch()
    (folder / "zz-text.png").write_text("no picture")
    return folder


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_the_command_predicts_the_same_as_the_stage_submit(
    finished: Artifacts, pictures: Path, tmp_path: Path, engine: str
) -> None:
    out = tmp_path / "out"
    result = run_command(pictures, "--model", finished.export.model, "--out", out, "--engine", engine)
    assert result.returncode == 1, result.stderr
    assert "2 images skipped" in result.stderr
    problems = pd.read_csv(out / "problems.csv").set_index("image_id")["problem"]
    assert problems["zz-empty.jpg"] == "the file is empty"
    assert "neither a JPEG nor a PNG" in problems["zz-text.png"]
    found = pd.read_csv(out / "submission.csv", keep_default_na=False)
    expected = pd.read_csv(finished.submit.submission, keep_default_na=False)
    assert found["Image_Label"].tolist() == expected["Image_Label"].tolist()
    if engine == "torch":
        assert found["EncodedPixels"].tolist() == expected["EncodedPixels"].tolist()
    summary = pd.read_csv(out / "summary.csv", keep_default_na=False)
    assert (summary["image_id"] + "_" + summary["class_name"]).tolist() == found["Image_Label"].tolist()
    assert ((summary["confidence"] < 2 / 3) == (summary["confidence_label"] == "unsure")).all()
    assert ((summary["area_share"] > 0) == (found["EncodedPixels"] != "")).all()
    masks = {path.name for path in (out / "masks").iterdir()}
    assert masks == {f"{key}.png" for key in found["Image_Label"][found["EncodedPixels"] != ""]}


def test_an_interrupted_run_resumes(
    finished: Artifacts, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict_pictures(
        [str(pictures)], finished.export.model, str(tmp_path / "whole"), engine="onnx", shard_size=1
    )
    write_shard, written = predicting.write_shard, []

    def interrupted(limit: int, plan: Plan, shard: int, images: Iterable[Decided], made: Provenance) -> int:
        if len(written) == limit:
            raise KeyboardInterrupt
        written.append(shard)
        return write_shard(plan, shard, images, made)

    out = str(tmp_path / "killed")
    monkeypatch.setattr(predicting, "write_shard", partial(interrupted, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_pictures([str(pictures)], finished.export.model, out, engine="onnx", shard_size=1)
    monkeypatch.setattr(predicting, "write_shard", partial(interrupted, 9))
    done = predict_pictures([str(pictures)], finished.export.model, out, engine="onnx", shard_size=1)
    assert (done.readable_count, done.problem_count) == (whole.readable_count, whole.problem_count)
    assert sorted(written) == [0, 1, 2, 3, 4]
    same = (tmp_path / name / "submission.csv" for name in ("whole", "killed"))
    assert len({path.read_text("utf-8") for path in same}) == 1


@pytest.mark.slow
def test_a_cluster_predicts_the_same(finished: Artifacts, pictures: Path, tmp_path: Path) -> None:
    here = predict_pictures([str(pictures)], finished.export.model, str(tmp_path / "here"), engine="onnx")
    there = (pictures, "--model", finished.export.model, "--out", tmp_path / "there", "--engine", "onnx")
    result = run_process(*there, "--cluster", "local", "--shard-size", 2)
    assert f"{here.readable_count} images" in result.stdout, result.stderr
    assert result.returncode == 1  # two files are no images
    same = (tmp_path / name / "submission.csv" for name in ("here", "there"))
    assert len({path.read_text("utf-8") for path in same}) == 1


def test_workers_of_a_cluster_get_absolute_paths(
    finished: Artifacts, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def do_elsewhere(job: Job, shards: Sequence[int], _: str) -> Iterator[int]:
        jobs.append(job)
        yield from predicting.do_here(job, shards)

    monkeypatch.setattr(predicting, "do_on_cluster", do_elsewhere)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished.export.model, "model")
    predict_pictures([str(pictures)], Path("model"), "out", engine="onnx", cluster="ray://head:10001")
    assert (jobs[0].model, jobs[0].plan.out) == (tmp_path / "model", str(tmp_path / "out"))


def test_messages_of_the_library_are_shown(tmp_path: Path) -> None:
    name = "x" * 246 + ".jpg"
    assert cv2.imwrite(str(tmp_path / name), np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    result = run_command(tmp_path / name, "--out", tmp_path / "out", "--engine", "onnx", "--write", "geojson")
    assert result.returncode == 1
    assert f"nephoscope: geojson: {name} is left out: File name too long" in result.stderr
    assert "out/geojson: files of some images are left out" in result.stderr


def test_a_folder_without_a_model_is_refused(pictures: Path, tmp_path: Path) -> None:
    result = run_command(pictures, "--model", tmp_path)
    assert result.returncode == 2
    assert f"{tmp_path} holds no portable model, because model.json is missing" in result.stderr
    missing = run_command(pictures, "--model", tmp_path / "gone").stderr
    assert f"{tmp_path / 'gone'} does not exist; give the folder that `python -m stages.export` writes" in missing


def test_small_images_are_read_at_full_size_as_in_training(finished: Artifacts) -> None:
    path = next((finished.synthesize.dataset / "train_images").iterdir())
    assert read_image(path, near=(64, 96)).shape == read_image(path).shape
