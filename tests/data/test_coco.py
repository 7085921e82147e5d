"""Format `coco`: polygons and run-length codes, and every problem that an entry can have."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from nephoscope.batch.coco import to_coco
from nephoscope.data import coco as reader
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import open_source
from nephoscope.masks.rle import encode_rle
from tests.builders.datasets import write_picture
from tests.builders.own_datasets import find_own_problems

SHAPE = (28, 42)
BOX = [[2, 3, 10, 3, 10, 9, 2, 9]]


def content(*annotations: dict[str, Any]) -> dict[str, Any]:
    first = {"id": 1, "image_id": 5, "category_id": 3, "segmentation": BOX}
    return {
        "images": [
            {"id": 5, "file_name": "train2017/a.png", "height": 28, "width": 42},
            {"id": 6, "file_name": "b.png", "height": 280, "width": 420},
        ],
        "categories": [{"id": 9, "name": "ice"}, {"id": 3, "name": "open water"}],
        "annotations": [first, *annotations],
    }


def write(root: Path, what: Any) -> Path:
    for name in ("a.png", "b.png"):
        write_picture(root / "train_images" / name, SHAPE)
    (root / "annotations.json").write_text(what if isinstance(what, str) else json.dumps(what), "utf-8")
    return root


def masks_of(root: Path, image_id: str) -> dict[str, np.ndarray]:
    problems: list[Any] = []
    source = open_source(root, "coco", OwnOptions(), problems)
    assert not problems
    return dict(source.annotations[image_id].draw(root, np.zeros((*SHAPE, 3), np.uint8)))


def test_every_way_of_drawing_the_same_mask_gives_it(tmp_path: Path) -> None:
    mask = np.zeros((280, 420), bool)
    mask[30:90, 20:100] = True
    compressed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    ways: list[dict[str, Any]] = [
        {"segmentation": [[20, 30, 100, 30, 100, 90, 20, 90]]},
        {"segmentation": [[20, 30, 60, 30, 60, 90, 20, 90], [60, 30, 100, 30, 100, 90, 60, 90]]},
        {"segmentation": {"size": [280, 420], "counts": compressed["counts"].decode()}, "iscrowd": 1},
        to_coco(encode_rle(mask), (280, 420)),
        {"bbox": [20, 30, 80, 60]},
    ]
    for way in ways:
        write(tmp_path, content({"id": 2, "image_id": 6, "category_id": 9, **way}))
        masks = masks_of(tmp_path, "b.png")
        assert list(masks) == ["ice"]
        assert np.array_equal(masks["ice"], mask)


def test_categories_are_the_classes_and_annotations_of_a_class_are_united(tmp_path: Path) -> None:
    write(tmp_path, content({"id": 2, "image_id": 5, "category_id": 3, "segmentation": [[20, 20, 60, 20, 20, 50]]}))
    assert open_source(tmp_path, "coco", OwnOptions(), []).data_format.classes == ("ice", "open water")
    (mask,) = masks_of(tmp_path, "a.png").values()
    assert mask[3:9, 2:10].all()
    assert mask[20, 21]
    assert not mask[:20, 11:].any()
    chosen = open_source(tmp_path, "coco", OwnOptions(classes=("ice",)), [])
    assert not chosen.annotations
    assert "2 open water" in chosen.note


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": 2, "image_id": 5, "category_id": 3, "segmentation": BOX} | changes


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (entry(id=1), "duplicate_row: annotation 2: the id 1 is already used by annotation 1"),
        (entry(category_id=4), "unknown_class: annotation 2: category_id 4 is not among the categories: 9, 3"),
        (entry(image_id=4), "malformed_row: annotation 2: image_id 4 is not among the images"),
        (entry(image_id=[5]), "malformed_row: annotation 2: image_id is list; expected a whole number or text"),
        (entry(id="\ud800"), "malformed_row: annotation 2: id is not Unicode: '\\ud800'"),
        ({"id": 2, "image_id": 5}, "malformed_row: annotation 2: category_id is missing"),
        ([1], "malformed_row: annotation 2: found list; expected an object"),
        (entry(segmentation=[]), "bad_polygon: annotation 2: segmentation is empty"),
        (entry(segmentation=[[]]), "bad_polygon: annotation 2: a polygon has 0 numbers"),
        (entry(segmentation=[[1, 1, 5, 5]]), "bad_polygon: annotation 2: a polygon has 4 numbers"),
        (entry(segmentation=[[1, 1, 5, 5, "x", 9]]), "bad_polygon: annotation 2: a polygon holds something that is no"),
        (entry(segmentation=[[1, 1, 5, 5, float("nan"), 9]]), "bad_polygon: annotation 2: a polygon holds something"),
        (entry(segmentation=[[1, 1, 5, 5, 10**400, 9]]), "bad_polygon: annotation 2: a polygon holds something"),
        (entry(segmentation="x"), "bad_polygon: annotation 2: segmentation is empty"),
        (entry(segmentation={}), "bad_rle: annotation 2: segmentation.counts is neither a list nor a text"),
        (
            entry(segmentation=[[50, 1, 60, 1, 60, 9]]),
            "bad_polygon: annotation 2 (id 2) of a.png: a polygon lies outside",
        ),
        (entry(segmentation={"counts": [5]}), "bad_rle: annotation 2 (id 2) of a.png: the counts add up to 5 pixels"),
        (
            entry(segmentation={"counts": [None]}),
            "bad_rle: annotation 2 (id 2) of a.png: a count is not a whole number",
        ),
        (entry(segmentation={"counts": "é"}), "bad_rle: annotation 2 (id 2) of a.png: 'é' is not possible"),
        (
            entry(segmentation={"size": [30, 42], "counts": [1260]}),
            "bad_rle: annotation 2: the size of the code is [30, 42], but that of its image is [28, 42]",
        ),
        (entry(segmentation=None, bbox=[1, 1, 0, 5]), "bad_box: annotation 2: the width and height of the bbox are 0"),
        (entry(segmentation=None, bbox=[1, 1]), "bad_polygon: annotation 2: bbox is not a list of 4 numbers"),
    ],
)
def test_problems_name_the_annotation(tmp_path: Path, annotation: Any, problem: str) -> None:
    write(tmp_path, content(annotation))
    (found,) = find_own_problems(tmp_path, tmp_path, "coco")
    assert found.startswith(f"annotations.json: {problem}")


def change(name: str, *entries: Any) -> dict[str, Any]:
    return content() | {name: [*content()[name], *entries]}


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        (
            change("images", {"id": 7, "file_name": "c.png", "height": 28, "width": 42}),
            "missing_picture: c.png is not in",
        ),
        (
            change("images", {"id": 5, "file_name": "c.png", "height": 28, "width": 42}),
            "duplicate_row: image 3: the id 5",
        ),
        (
            change("images", {"id": 7, "file_name": "x/b.png", "height": 8, "width": 8}),
            "duplicate_row: image 3: b.png is",
        ),
        (change("images", {"id": 7, "file_name": "c.png", "height": 28}), "malformed_row: image 3: width is missing"),
        (
            change("images", {"id": 7, "file_name": "c", "height": 2**20, "width": 2**20}),
            "malformed_row: image 3: 1048576×",
        ),
        (
            change("images", {"id": 7, "file_name": "c", "height": 0, "width": 5}),
            "malformed_row: image 3: height and width",
        ),
        (
            change("images", {"id": 7, "file_name": "\ud800", "height": 9, "width": 9}),
            "malformed_row: image 3: file_name is",
        ),
        (
            change("categories", {"id": 3, "name": "cloud"}),
            "bad_classes: category 3: id 3 or name cloud is already used",
        ),
        (change("categories", {"id": 4, "name": "a/b"}), "bad_classes: the class name 'a/b' contains '/'"),
        (change("categories", {"id": 4}), "bad_classes: category 3: name is missing"),
        ({"images": []}, "unreadable_labels: annotations, categories missing, or not a list"),
        ([1], "unreadable_labels: expected an object with images, annotations, categories; found list"),
        ('{"images": [', "unreadable_labels: not readable as JSON: Expecting value: line 1 column 13"),
        ("[" * 100_000, "unreadable_labels: not readable as JSON: the brackets are nested too deeply"),
        ('{"images": [], "images": []}', "unreadable_labels: not readable as JSON: the key 'images' is there twice"),
        ('{"images": ' + "9" * 5000 + "}", "unreadable_labels: not readable as JSON: Exceeds the limit"),
        ("", "unreadable_labels: not readable as JSON"),
    ],
)
def test_problems_of_the_file_are_reported(tmp_path: Path, what: Any, problem: str) -> None:
    write(tmp_path, what)
    found = find_own_problems(tmp_path, tmp_path, "coco")
    assert found[0].startswith(f"annotations.json: {problem}")


def test_an_image_that_is_not_listed_and_a_file_that_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, content() | {"images": content()["images"][:1]})
    assert find_own_problems(tmp_path, tmp_path, "coco") == [
        "train_images/b.png: extra_picture: the image has no entry in annotations.json"
    ]
    monkeypatch.setattr(reader, "LARGEST_FILE", 10)
    (found,) = find_own_problems(tmp_path, tmp_path, "coco")
    assert found.startswith("annotations.json: unreadable_labels: 0 MB; at most 0 MB are read")


def test_the_aspect_of_an_image_must_be_that_of_its_entry(tmp_path: Path) -> None:
    what = content()
    what["images"][0]["height"] = 42
    write(tmp_path, what)
    (found,) = find_own_problems(tmp_path, tmp_path, "coco")
    assert found.startswith("train_images/a.png: wrong_aspect: 28×42 has the aspect 1.500, masks of 42×42 have 1.000")
