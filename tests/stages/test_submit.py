from pathlib import Path

import pandas as pd
import pytest

import stages.predict
import stages.prepare
import stages.submit
from nephoscope.artifacts import Artifacts
from nephoscope.batch.submission import SubmissionError, check_submission
from nephoscope.data.formats import FORMATS
from nephoscope.masks.rle import decode_rle
from nephoscope.settings.inference import Submit
from tests.builders.pipeline_run import run_after_training, run_until_trained, tiny_params


def test_the_file_has_a_row_per_image_and_class_in_order(finished: Artifacts) -> None:
    table = pd.read_csv(finished.submit.submission, keep_default_na=False)
    pictures = sorted(path.name for path in (finished.synthesize.dataset / "test_images").iterdir())
    classes = FORMATS["clouds"].classes
    assert list(table["Image_Label"]) == [f"{picture}_{name}" for picture in pictures for name in classes]
    for rle in table["EncodedPixels"]:
        decode_rle(rle, (350, 525))


def test_without_unlabelled_images_the_file_is_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params, artifacts = tiny_params(tmp_path), Artifacts(tmp_path)
    params = params.model_copy(update={"synthesize": params.synthesize.model_copy(update={"unlabelled": 0})})
    stages.synthesize.main(params.synthesize, artifacts)
    stages.prepare.main(params.prepare, artifacts)
    stages.submit.main(Submit(), artifacts)
    assert artifacts.submit.submission.read_text() == "Image_Label,EncodedPixels\n"
    assert "no unlabelled images" in capsys.readouterr().out


def test_an_unreadable_image_has_empty_rows(
    finished: Artifacts, own_run: Artifacts, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("0-broken.jpg", "zz-broken.jpg"):
        (own_run.synthesize.dataset / "test_images" / name).write_text("no picture")
    params = tiny_params(own_run.root)
    stages.prepare.main(params.prepare.model_copy(update={"problems": "set_aside"}), own_run)
    stages.submit.main(Submit(), own_run)
    table, before = (pd.read_csv(run.submit.submission, keep_default_na=False) for run in (own_run, finished))
    broken = table["Image_Label"].str.contains("broken")
    assert broken.tolist() == [True] * 4 + [False] * len(before) + [True] * 4
    assert set(table.loc[broken, "EncodedPixels"]) == {""}
    assert table.loc[~broken, "Image_Label"].tolist() == before["Image_Label"].tolist()
    assert "5 images, 2 of them set aside by prepare and therefore empty" in capsys.readouterr().out


@pytest.mark.slow
def test_steel_goes_through_every_stage(tmp_path: Path) -> None:
    params, artifacts = tiny_params(tmp_path, "severstal"), Artifacts(tmp_path)
    run_until_trained(params, artifacts)
    run_after_training(params, artifacts)
    table = pd.read_csv(artifacts.submit.submission, keep_default_na=False)
    assert list(table.columns) == ["ImageId_ClassId", "EncodedPixels"]
    assert len(table) == 3 * 4
    assert artifacts.report.page.is_file()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["x.jpg_Fish,", "x.jpg_Flower,", "x.jpg_Gravel,"], "3 rows, expected 4"),
        (["x.jpg_Flower,", "x.jpg_Fish,", "x.jpg_Gravel,", "x.jpg_Sugar,"], "sorted by image and class"),
    ],
)
def test_a_wrong_file_is_rejected_when_it_is_read_back(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("\n".join(["Image_Label,EncodedPixels", *lines]) + "\n")
    with pytest.raises(SubmissionError, match=message):
        check_submission(path, FORMATS["clouds"], ["x.jpg"], (350, 525))
