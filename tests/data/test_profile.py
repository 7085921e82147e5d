"""The data profile of five images, counted by hand."""

import cv2
import numpy as np
import pandas as pd
import pytest

from nephoscope.data import profile
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.data.profile import summarise
from nephoscope.data.truth import Truth, write_truth
from nephoscope.figures.colours import CLASS_COLOURS, class_colours
from nephoscope.figures.data_profile import choose_rows, list_duplicates
from nephoscope.figures.overlays import draw_overlay, write_names


@pytest.fixture
def manifest():
    metadata = Metadata("clouds", ("Fish", "Sugar"), (20, 30), (10, 20), (5, 10))
    images = pd.DataFrame(
        [
            ("a.jpg", "train", 1.0, 0.50, 0.25),
            ("b.jpg", "train", 0.8, 0.10, 0.00),
            ("c.jpg", "validation", 1.0, 0.30, 0.05),
            ("d.jpg", "holdout", 0.6, 0.00, 0.00),
            ("u.jpg", "unlabelled", 0.5, 0.00, 0.00),
        ],
        columns=["image_id", "split", "visible_share", "area_Fish", "area_Sugar"],
    )
    return Manifest(metadata, images)


def rows_of(table):
    return [tuple(row) for row in table.itertuples(index=False)]


def test_masks_per_image(manifest):
    assert rows_of(profile.count_masks_per_image(manifest)) == [(0, 1, 0.25), (1, 1, 0.25), (2, 2, 0.5)]


def test_images_per_class_and_empty_masks(manifest):
    assert rows_of(profile.count_images_per_class(manifest)) == [
        ("Fish", 3, 0.75, 1, 0.25),
        ("Sugar", 2, 0.5, 2, 0.5),
    ]


def test_co_occurrence(manifest):
    assert rows_of(profile.count_co_occurrence(manifest)) == [("Fish", 3, 2), ("Sugar", 2, 2)]


def test_presence_patterns_per_split(manifest):
    assert rows_of(profile.count_presence_patterns(manifest)) == [
        ("Fish + Sugar", 1, 1, 0, 2),
        ("Fish", 1, 0, 0, 1),
        ("none", 0, 0, 1, 1),
    ]


def test_areas_are_pixels_of_masks_that_are_not_empty(manifest):
    fish, sugar = profile.describe_areas(manifest).to_dict("records")
    assert fish == {
        "class_name": "Fish", "masks": 3, "mean": 60.0, "median": 60.0, "std": 40.0, "min": 20.0, "max": 100.0,
        "mean_share": pytest.approx(0.3),
    }  # fmt: skip
    assert (sugar["masks"], sugar["min"], sugar["max"]) == (2, 10.0, 50.0)


def test_images_per_split(manifest):
    table = profile.count_images_per_split(manifest).set_index("split")
    assert table["images"].to_dict() == {"train": 2, "validation": 1, "holdout": 1, "unlabelled": 1}
    assert table.loc["train"].tolist() == [2, 0.9, 1.0, 0.5]
    assert table.loc["unlabelled", ["Fish", "Sugar"]].isna().all()


def test_samples_come_from_train_without_repeats_in_order_of_area(manifest):
    assert choose_rows(manifest, "Fish", (0.02, 0.4, 0.98)) == [1, 0]
    assert choose_rows(manifest, "Sugar", (0.02, 0.98)) == [0]


def test_near_duplicates_are_listed_and_counted(manifest):
    groups = np.array([0, 1, 0, 2])
    assert rows_of(list_duplicates(manifest, groups)) == [(0, "a.jpg", "train"), (0, "c.jpg", "validation")]
    assert summarise(manifest, groups, [], file_count=5).splitlines() == [
        "5 images: 2 train, 1 validation, 1 holdout, 1 unlabelled",
        "near duplicates: 2 images in 1 groups",
        "visible: 78.0% of the pixels",
    ]


def test_a_missing_holdout_is_reported_before_training(manifest):
    images = manifest.images[manifest.images["split"] != "holdout"]
    summary = summarise(Manifest(manifest.metadata, images), np.arange(len(images)), [], file_count=4)
    assert summary.splitlines()[-1].startswith("no holdout: ")


def test_truth_is_read_as_masks_even_for_unusual_names(manifest, tmp_path):
    write_truth([("nan", "Sugar", "1 10"), ("0012", "Fish", "11 10")], tmp_path / "truth.csv")
    truth = Truth.load(tmp_path / "truth.csv", manifest.metadata)
    column = np.zeros((10, 20), bool)
    column[:, 0] = True
    np.testing.assert_array_equal(truth.masks("nan"), [np.zeros((10, 20), bool), column])
    np.testing.assert_array_equal(truth.masks("0012"), [np.roll(column, 1, axis=1), np.zeros((10, 20), bool)])
    assert not truth.masks("u.jpg").any()


def test_an_overlay_has_outlines_in_the_class_colours_and_stripes_where_invisible():
    image, visible = np.full((40, 60, 3), 90, np.uint8), np.ones((40, 60), bool)
    visible[:, :10] = False
    masks = np.zeros((2, 40, 60), bool)
    masks[1, 10:30, 25:50] = True
    overlay = draw_overlay(image, masks, visible)
    assert (image == 90).all()
    assert tuple(overlay[10, 35]) == CLASS_COLOURS[1]
    assert tuple(overlay[20, 38]) == (90, 90, 90)
    assert len(np.unique(overlay[:, :8].reshape(-1, 3), axis=0)) == 2


def test_a_class_name_is_written_inside_its_mask_and_the_image():
    masks = np.zeros((2, 60, 120), bool)
    masks[1, 40:, 90:] = True
    named = write_names(np.zeros((60, 120, 3), np.uint8), masks, ["Fish", "Flower"])
    written = np.argwhere((named == CLASS_COLOURS[1]).all(-1))
    assert len(written) > 20
    assert written[:, 0].min() > 35
    assert written[:, 1].min() > 40
    assert not (named == CLASS_COLOURS[0]).all(-1).any()


def test_colours_are_distinct_for_any_number_of_classes():
    colours = class_colours(32)
    assert colours[:8] == class_colours(8) == CLASS_COLOURS
    assert class_colours(3) == CLASS_COLOURS[:3]
    pixels = np.array(colours, np.float32)[None] / 255
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[0]
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    # A difference of 2.3 is just noticeable.
    assert distances[~np.eye(32, dtype=bool)].min() > 20
