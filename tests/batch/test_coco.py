"""COCO annotations against pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from nephoscope.batch.coco import to_coco, write_coco
from nephoscope.data.formats import CLOUDS
from nephoscope.masks.rle import encode_rle
from tests.builders.batch_runs import decided, failed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pycocotools


@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any))
def test_area_and_bounding_box_are_those_of_pycocotools(mask: np.ndarray) -> None:
    annotation = to_coco(encode_rle(mask), mask.shape)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco.frPyObjects(annotation["segmentation"], *mask.shape) == theirs
    assert annotation["area"] == coco.area(theirs)
    assert annotation["bbox"] == coco.toBbox(theirs).tolist()


@pytest.mark.parametrize("runs", ["3 2 1 2", "1 2 3 2", "4 1 1 3"])
def test_unsorted_and_touching_runs_give_the_same_annotation(runs: str) -> None:
    annotation = to_coco(runs, (2, 3))
    theirs = coco.frPyObjects(annotation["segmentation"], 2, 3)
    assert encode_rle(coco.decode(theirs).astype(bool)) == "1 4"
    assert annotation["area"] == coco.area(theirs) == 4
    assert annotation["bbox"] == coco.toBbox(theirs).tolist()


def test_every_annotation_has_the_presence_of_its_class_as_score(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    with write_coco(str(path), CLOUDS, {"version": "1"}) as add:
        for image in (failed("in/0.jpg"), decided("in/1.jpg"), decided("in/2.jpg", ("", "1 1", "5 5", ""))):
            add(image.record)
    content = json.loads(path.read_text("utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    scores = [(entry["image_id"], names[entry["category_id"]], entry["score"]) for entry in content["annotations"]]
    assert scores == [(1, "Fish", 0.9), (1, "Sugar", 0.75), (2, "Flower", 0.5), (2, "Gravel", 0.25)]
    assert [entry["id"] for entry in content["annotations"]] == [1, 2, 3, 4]
