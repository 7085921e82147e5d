"""`nephoscope predict` with the portable model of a finished run."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.artifacts import Artifacts
from pipeline.data.images import read_image
from pipeline.delivery import predicting
from pipeline.delivery.cli import app
from pipeline.delivery.pictures import Decided
from pipeline.delivery.predicting import predict_pictures
from pipeline.delivery.shards import Plan


@pytest.fixture
def pictures(finished: Artifacts, tmp_path: Path) -> Path:
    """Three pictures and two files that are none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in sorted((finished.synthesize.dataset / "test_images").iterdir()):
        shutil.copy(path, folder)
    (folder / "zz-empty.jpg").touch()
    (folder / "zz-text.png").write_text("no picture")
    return folder


@pytest.mark.parametrize("engine", ["auto", "torch", "onnx", "openvino"])
def test_the_command_predicts_what_submit_submitted(
    finished: Artifacts, pictures: Path, tmp_path: Path, engine: str
) -> None:
    out = tmp_path / "out"
    arguments = ["predict", str(pictures), "--model", str(finished.export.model), "--out", str(out), "--engine", engine]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    assert "2 pictures could not be read" in result.output
    faults = pd.read_csv(out / "faults.csv").set_index("image_id")["fault"]
    assert faults["zz-empty.jpg"] == "the file is empty"
    assert "neither a JPEG nor a PNG" in faults["zz-text.png"]
    found = pd.read_csv(out / "submission.csv", keep_default_na=False)
    expected = pd.read_csv(finished.submit.submission, keep_default_na=False)
    assert found["Image_Label"].tolist() == expected["Image_Label"].tolist()
    if engine == "torch":
        assert found["EncodedPixels"].tolist() == expected["EncodedPixels"].tolist()


def test_a_run_goes_on_where_it_was_killed(
    finished: Artifacts, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict_pictures([str(pictures)], finished.export.model, str(tmp_path / "whole"), shard_size=1)
    write_shard, written = predicting.write_shard, []

    def dying(after: int, plan: Plan, shard: int, decided: Iterable[Decided]) -> int:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(shard)
        return write_shard(plan, shard, decided)

    out = str(tmp_path / "killed")
    monkeypatch.setattr(predicting, "write_shard", partial(dying, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_pictures([str(pictures)], finished.export.model, out, shard_size=1)
    monkeypatch.setattr(predicting, "write_shard", partial(dying, 9))
    assert predict_pictures([str(pictures)], finished.export.model, out, shard_size=1) == whole
    assert sorted(written) == [0, 1, 2, 3, 4]
    same = (tmp_path / name / "submission.csv" for name in ("whole", "killed"))
    assert len({path.read_text("utf-8") for path in same}) == 1


def test_a_cluster_predicts_the_same(finished: Artifacts, pictures: Path, tmp_path: Path) -> None:
    here = predict_pictures([str(pictures)], finished.export.model, str(tmp_path / "here"), engine="onnx")
    command = [sys.executable, "-c", "from pipeline.delivery.cli import main; main()", "predict", str(pictures)]
    command += ["--model", str(finished.export.model), "--out", str(tmp_path / "there"), "--engine", "onnx"]
    result = subprocess.run([*command, "--cluster", "local", "--shard-size", "2"], capture_output=True, text=True)
    assert f"{here[0]} pictures" in result.stdout, result.stderr
    assert result.returncode == 1  # two files are no pictures
    same = (tmp_path / name / "submission.csv" for name in ("here", "there"))
    assert len({path.read_text("utf-8") for path in same}) == 1


def test_a_model_that_is_none_is_refused(pictures: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["predict", str(pictures), "--model", str(tmp_path)])
    assert "no portable model" in str(result.exception)


def test_pictures_are_read_as_training_read_them(finished: Artifacts) -> None:
    path = next((finished.synthesize.dataset / "train_images").iterdir())
    assert read_image(path, near=(64, 96)).shape == read_image(path).shape  # too small to be read at a half
