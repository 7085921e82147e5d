"""Which rows are tuned on and which are set aside; what identifies a split; shares that count images."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from nephoscope.data.assemble import add_split_digest, usable_rows
from nephoscope.data.formats import CLOUDS
from nephoscope.data.images import decode_image, full_shape
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.data.problems import Problem
from nephoscope.data.source import Source
from nephoscope.data.splits import split_images

METADATA = Metadata("clouds", ("a",), (8, 12), (8, 12), (8, 12))
IMAGES = pd.DataFrame({
    "image_id": ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"],
    "split": ["train", "train", "train", "holdout", "unlabelled"],
    "fold": [0, 1, 0, -1, -1],
    "visible_share": 1.0,
})  # fmt: skip


def digest(images: pd.DataFrame) -> str:
    return add_split_digest(METADATA, images).split


def test_rules_are_tuned_on_every_fold_that_was_held_out() -> None:
    folded = Metadata("clouds", ("a",), (8, 12), (8, 12), (8, 12), folds=2)
    assert Manifest(folded, IMAGES).tuning_rows().tolist() == [0, 1, 2]
    validation = IMAGES.assign(split=["train", "validation", "validation", "holdout", "unlabelled"])
    assert Manifest(METADATA, validation).tuning_rows().tolist() == [1, 2]


def test_a_split_is_identified_by_the_split_and_fold_of_every_labelled_image() -> None:
    assert digest(IMAGES.assign(fold=[1, 1, 0, -1, -1])) != digest(IMAGES)
    assert digest(IMAGES.assign(split=["train", "train", "holdout", "train", "unlabelled"])) != digest(IMAGES)
    assert digest(IMAGES.iloc[:4]) == digest(IMAGES.iloc[::-1]) == digest(IMAGES.assign(visible_share=0.5))


def test_a_problem_of_a_labelled_image_leaves_the_unlabelled_one_of_its_name() -> None:
    """Rows of the CSV concern labelled images only."""
    files = ["train_images/a.jpg", "train_images/b.jpg", "test_images/a.jpg", "test_images/c.jpg"]
    names = [file.partition("/")[2] for file in files]
    images = pd.DataFrame({"image_id": names, "file": files, "labelled": [True, True, False, False]})
    problems = [
        Problem("bad_rle", "train.csv", 2, "odd", "a.jpg"),
        Problem("truncated_picture", "test_images/c.jpg", None, "ends early", "c.jpg"),
    ]
    source = Source(Path(), CLOUDS, images, {}, len(files))
    assert usable_rows(source, problems, "set_aside").tolist() == [1, 2]


def test_a_large_group_of_near_duplicates_counts_with_all_its_images() -> None:
    groups = np.array([0] * 50 + list(range(1, 51)))
    splits = split_images(
        [f"{row}.jpg" for row in range(100)], np.zeros((100, 1), bool), groups,
        validation_share=0.2, holdout_share=0.2, folds=0, held_out=0, seed=0,
    )  # fmt: skip
    assert len(set(splits.split[:50].tolist())) == 1
    assert abs((splits.split == "holdout").sum() - 20) <= 1
    assert abs((splits.split == "validation").sum() - 20) <= 1


def test_the_full_shape_of_an_image_that_exif_turns_is_that_after_turning(tmp_path: Path) -> None:
    exif = bytes.fromhex("ffe1002245786966000049492a00080000000100120103000100000006000000") + bytes(4)
    content = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (48, 96, 3), np.uint8))[1].tobytes()
    for name, written, shape in (
        ("turned", content[:2] + exif + content[2:], (96, 48)), ("plain", content, (48, 96))
    ):  # fmt: skip
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(written)
        assert full_shape(path, decode_image(written, near=(8, 8))) == shape
