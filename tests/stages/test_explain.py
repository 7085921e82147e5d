import pandas as pd
import pytest

import stages.explain
from nephoscope.artifacts import Artifacts
from nephoscope.data.images import read_image
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.settings.inference import Explain


def test_errors_and_heat_maps_match_one_to_one(own_run: Artifacts) -> None:
    scores = pd.read_csv(own_run.evaluate.tables / "scores.csv")
    # One clear miss and one clear false alarm, because results of tiny networks vary.
    scores.loc[scores.index[:2], ["truth_area", "presence"]] = [[900, -0.5], [0, 3.0]]
    scores.to_csv(own_run.evaluate.tables / "scores.csv", index=False)

    stages.explain.main(Explain(worst=2), own_run)

    table = pd.read_csv(own_run.explain.table)
    assert table.columns.tolist() == [
        "image_id", "class_name", "presence", "truth", "predicted", "error", "file",
    ]  # fmt: skip
    assert set(table["error"]) == {"missed", "false alarm"}
    assert (table["truth"] != table["predicted"]).all()
    assert table.groupby(["class_name", "error"]).size().max() <= 2
    assert sorted(table["file"]) == sorted(path.name for path in own_run.explain.heat_maps.iterdir())
    assert (table["file"] == table["image_id"] + "_" + table["class_name"] + ".jpg").all()
    assert {read_image(own_run.explain.heat_maps / name).shape for name in table["file"]} == {(258, 387, 3)}


def test_only_holdout_images_are_explained(finished: Artifacts) -> None:
    manifest = Manifest.load(finished.prepare.manifest)
    holdout = set(manifest.images.loc[manifest.rows("holdout"), "image_id"])
    assert set(pd.read_csv(finished.explain.table)["image_id"]) <= holdout


def test_scores_of_another_split_are_rejected(own_run: Artifacts) -> None:
    scores = pd.read_csv(own_run.evaluate.tables / "scores.csv")
    scores.loc[scores.index[3], "image_id"] = "gone.jpg"
    scores.to_csv(own_run.evaluate.tables / "scores.csv", index=False)
    with pytest.raises(UserError, match=r"1 of its images are not in holdout, for example gone\.jpg"):
        stages.explain.main(Explain(worst=2), own_run)


def test_without_errors_the_folder_is_empty_and_the_table_a_header(own_run: Artifacts) -> None:
    stages.explain.main(Explain(worst=0), own_run)
    assert list(own_run.explain.heat_maps.iterdir()) == []
    assert own_run.explain.table.read_text() == "image_id,class_name,presence,truth,predicted,error,file\n"
