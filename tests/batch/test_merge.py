"""The tables of a finished run."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO

from nephoscope.batch import shards
from nephoscope.batch.coco import to_coco
from nephoscope.batch.merge import merge_shards, open_table
from nephoscope.batch.shards import begin_run, read_shards, write_shard
from nephoscope.masks.rle import encode_rle
from tests.builders.batch_runs import PICTURES, decide_shard, decided, failed, make_plan, run


def test_shards_become_one_table(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    for shard in (2, 0, 1):
        write_shard(plan, shard, decide_shard(plan, shard))
    write_shard(plan, 1, [failed("in/2.jpg"), decided("in/3.jpg", ("", "3 1", "", ""))])
    assert merge_shards(plan) == (1, ())
    rows = pd.read_csv(tmp_path / "submission.csv", keep_default_na=False)
    assert rows["Image_Label"].str[:5].unique().tolist() == ["0.jpg", "1.jpg", "3.jpg", "4.jpg"]
    assert rows.set_index("Image_Label").loc["3.jpg_Flower", "EncodedPixels"] == "3 1"
    assert pd.read_csv(tmp_path / "problems.csv").to_numpy().tolist() == [["2.jpg", "the file is empty"]]
    assert [record.address for record in read_shards(plan)] == list(PICTURES)
    summary = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False).set_index(["image_id", "class_name"])
    assert summary.loc[("0.jpg", "Fish")].tolist() == [0.9, 1, 0.9, "sure", round(2 / (350 * 525), 4), 0.8]
    assert summary.loc[("0.jpg", "Flower"), "confidence_label"] == "unsure"
    assert len(summary) == 16


def test_every_shard_is_read_once_for_all_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(tmp_path, outputs=("submission", "coco"))
    run(plan)
    read_bytes, paths = shards.read_bytes, []
    monkeypatch.setattr(shards, "read_bytes", lambda path: (paths.append(path), read_bytes(path))[1])
    merge_shards(plan)
    assert paths == [plan.shard_path(shard) for shard in range(3)]


def test_an_interrupted_table_does_not_appear(tmp_path: Path) -> None:
    address = str(tmp_path / "summary.csv")

    def interrupted_table() -> None:
        with open_table(address, ("image_id",), lambda _: []):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_table()
    assert list(tmp_path.iterdir()) == []
    with open_table(address, ("image_id",), lambda record: [(record.image_id,)]) as add:
        add(decided("in/0.jpg").record)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.csv"]
    assert (tmp_path / "summary.csv").read_text("utf-8") == "image_id\n0.jpg\n"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_coco_holds_the_same_masks(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, pictures=PICTURES[:3], outputs=("coco",))
    begin_run(plan)
    write_shard(plan, 0, [failed("in/0.jpg"), decided("in/1.jpg")])
    write_shard(plan, 1, [decided("in/2.jpg", ("", f"{350 * 525} 1", "", ""))])
    merge_shards(plan)
    coco = COCO(str(tmp_path / "coco.json"))
    assert [coco.imgs[index]["file_name"] for index in (1, 2)] == ["1.jpg", "2.jpg"]
    annotations = [
        (entry["image_id"], coco.cats[entry["category_id"]]["name"], entry["bbox"]) for entry in coco.anns.values()
    ]
    assert annotations == [(1, "Fish", [0, 0, 1, 2]), (1, "Sugar", [0, 6, 1, 1]), (2, "Flower", [524, 349, 1, 1])]
    assert np.argwhere(coco.annToMask(coco.anns[1])).tolist() == [[0, 0], [1, 0]]
    assert np.argwhere(coco.annToMask(coco.anns[3])).tolist() == [[349, 524]]
    assert not (tmp_path / "submission.csv").exists()


def test_the_bounding_box_of_runs_is_that_of_their_mask() -> None:
    rng = np.random.default_rng(0)
    for density in (0.02, 0.1, 0.5, 0.98):
        for _ in range(50):
            mask = rng.random((5, 4)) < density
            if mask.any():
                assert to_coco(encode_rle(mask), (5, 4))["bbox"] == list(cv2.boundingRect(mask.view(np.uint8)))
