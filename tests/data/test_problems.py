"""Every problem of a data set, and its message: file, line, kind and explanation."""

import os
import shutil
from contextlib import suppress

import cv2
import numpy as np
import pandas as pd
import pytest

from nephoscope.data.problems import DataProblemsError, Problem, images_to_set_aside, record_problems
from tests.builders.datasets import cloud_rows, find_problems, write_clouds, write_picture

WHOLE = 1400 * 2100


def test_a_sound_data_set_has_no_problems(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg", Fish="1 5 9 2", Sugar=f"{WHOLE} 1"), ["a.jpg"])
    assert find_problems(root, tmp_path) == []


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ("1 5 9", "odd count: 3 numbers, but every run is a start and a length"),
        ("1 five", "not a number: 'five'"),
        ("7 0", "empty run: '7 0'; a length is at least 1"),
        (f"{WHOLE} 2", f"run out of bounds: '{WHOLE} 2' leaves the {WHOLE} pixels of 1400×2100"),
        ("0 2", f"run out of bounds: '0 2' leaves the {WHOLE} pixels of 1400×2100"),
        ("1 5 4 2", "overlapping runs: '1 5' and '4 2'"),
    ],
)
def test_a_bad_rle_is_reported_with_its_line(tmp_path, rle, message):
    root = write_clouds(tmp_path, cloud_rows("a.jpg", Flower=rle), ["a.jpg"])
    assert find_problems(root, tmp_path) == [f"train.csv:3: bad_rle: Flower of a.jpg: {message}"]


def test_an_unknown_class_is_reported_with_its_line_and_the_known_classes(tmp_path):
    root = write_clouds(tmp_path, [*cloud_rows("a.jpg"), "a.jpg_Fih,1 2"], ["a.jpg"])
    assert find_problems(root, tmp_path) == [
        "train.csv:6: unknown_class: 'Fih' of 'a.jpg'; known: Fish, Flower, Gravel, Sugar"
    ]


def test_a_key_without_a_class_is_an_unknown_class(tmp_path):
    root = write_clouds(tmp_path, [*cloud_rows("a.jpg"), "a.jpg,1 2"], ["a.jpg"])
    assert find_problems(root, tmp_path) == [
        "train.csv:6: unknown_class: '' of 'a.jpg'; known: Fish, Flower, Gravel, Sugar"
    ]


def test_a_duplicate_row_is_reported_with_both_lines(tmp_path):
    root = write_clouds(tmp_path, [*cloud_rows("a.jpg"), "a.jpg_Fish,"], ["a.jpg"])
    assert find_problems(root, tmp_path) == [
        "train.csv:6: duplicate_row: Fish of a.jpg is already on line 2",
    ]


def test_a_missing_row_is_reported_with_its_class(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg")[:3], ["a.jpg"])
    assert find_problems(root, tmp_path) == ["train.csv:4: missing_row: a.jpg has no row for Sugar"]


def test_a_row_with_too_many_cells_is_reported_and_blank_lines_count(tmp_path):
    root = write_clouds(tmp_path, ["", *cloud_rows("a.jpg")[:3], "a.jpg_Sugar,1 2,3 4"], ["a.jpg"])
    assert find_problems(root, tmp_path) == ["train.csv:6: malformed_row: 3 cells, but 2 columns"]


def test_missing_and_extra_images_are_reported_together(tmp_path):
    root = write_clouds(tmp_path, [*cloud_rows("a.jpg"), *cloud_rows("lost.jpg")], ["a.jpg", "extra.jpg"])
    assert find_problems(root, tmp_path) == [
        "train.csv:6: missing_picture: lost.jpg is not in train_images",
        "train_images/extra.jpg: extra_picture: the image has no rows in train.csv",
    ]


def test_a_path_outside_the_folder_is_a_missing_image(tmp_path):
    write_picture(tmp_path / "outside.jpg")
    root = write_clouds(tmp_path / "root", [*cloud_rows("a.jpg"), *cloud_rows("../../outside.jpg")], ["a.jpg"])
    assert find_problems(root, tmp_path) == ["train.csv:6: missing_picture: ../../outside.jpg is not in train_images"]


def test_an_image_in_both_folders_is_reported(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"])
    write_picture(root / "test_images" / "a.jpg")
    assert find_problems(root, tmp_path) == [
        "test_images/a.jpg: doubled_picture: train_images has an image of the same name"
    ]


def test_a_name_that_is_not_utf_8_is_reported_with_escapes(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"])
    shutil.copy(root / "train_images" / "a.jpg", root / "train_images" / os.fsdecode(b"caf\xe9.jpg"))
    assert find_problems(root, tmp_path) == [
        r"train_images/caf\udce9.jpg: misnamed_picture: the file's name is not UTF-8; rename it"
    ]


def test_a_truncated_jpeg_is_reported(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"])
    path = root / "train_images" / "a.jpg"
    path.write_bytes(path.read_bytes()[:900])
    assert find_problems(root, tmp_path) == [
        "train_images/a.jpg: truncated_picture: the JPEG ends after 900 bytes, without an end marker"
    ]


def test_an_image_that_ends_in_the_grey_of_decoders_is_reported(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.png"), ["a.png"])
    path = root / "train_images" / "a.png"
    image = cv2.imread(str(path))
    image[-4:] = 128
    cv2.imwrite(str(path), image)
    assert find_problems(root, tmp_path) == [
        "train_images/a.png: truncated_picture: the lowest rows are uniform grey, with which "
        "decoders fill the lost part of a damaged JPEG"
    ]


def test_unreadable_images_are_reported_even_unlabelled_ones(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"])
    (root / "train_images" / "a.jpg").write_bytes(b"<html>404</html>")
    (root / "test_images").mkdir()
    (root / "test_images" / "u.jpg").touch()
    assert find_problems(root, tmp_path) == [
        "train_images/a.jpg: unreadable_picture: neither a JPEG nor a PNG; it begins with b'<html>40'",
        "test_images/u.jpg: unreadable_picture: the file is empty",
    ]


def test_a_wrong_aspect_is_reported_with_both_values(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"], shape=(40, 40))
    assert find_problems(root, tmp_path) == [
        "train_images/a.jpg: wrong_aspect: 40×40 has the aspect 1.000, masks of 1400×2100 have 1.500"
    ]


def test_missing_columns_are_reported_with_what_was_found_and_expected(tmp_path):
    root = write_clouds(tmp_path, [], ["a.jpg"])
    (root / "train.csv").write_text("image;rle\n")
    assert find_problems(root, tmp_path) == [
        "train.csv: missing_column: the columns are image;rle; expected: Image_Label, EncodedPixels"
    ]


def test_missing_folder_labels_and_images_are_reported(tmp_path):
    assert find_problems(tmp_path, tmp_path) == [
        f"train_images: missing_folder: no such folder in {tmp_path}; set prepare.root to the folder that contains it"
    ]
    (tmp_path / "train_images").mkdir()
    assert find_problems(tmp_path, tmp_path) == [
        f"train.csv: missing_labels: no such file in {tmp_path}, nor with the suffixes .xz, .gz, .zip"
    ]
    write_clouds(tmp_path, [])
    assert find_problems(tmp_path, tmp_path) == [
        "train_images: no_pictures: no images in the folder; their names must end in .jpg, .jpeg, .png"
    ]


def test_two_label_files_are_refused(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"])
    (root / "train.csv.gz").touch()
    assert find_problems(root, tmp_path) == [
        "train.csv: unreadable_labels: found train.csv, train.csv.gz; keep only one of them"
    ]


def test_a_long_list_is_shortened_and_ends_with_the_way_out():
    problems = [Problem("missing_picture", "train.csv", row, "not there", f"{row}.jpg") for row in range(2, 32)]
    lines = str(DataProblemsError(problems)).splitlines()
    assert lines[0] == "30 problem(s) in the data set:"
    assert lines[1] == "  train.csv:2: missing_picture: not there"
    assert lines[21:] == [
        "  … and 10 more. All problems by kind:",
        "       30 missing_picture",
        "Correct them, or set prepare.problems to set_aside, which leaves these images out and lists them.",
    ]


def test_a_problem_of_the_whole_data_set_cannot_be_set_aside():
    picture = Problem("wrong_aspect", "train_images/a.jpg", None, "…", "a.jpg")
    whole = Problem("missing_labels", "train.csv", None, "…")
    assert images_to_set_aside([picture], "set_aside") == {"a.jpg"}
    with pytest.raises(DataProblemsError, match=r"prepare\.root"):
        images_to_set_aside([picture, whole], "set_aside")
    with pytest.raises(DataProblemsError, match="set_aside"):
        images_to_set_aside([picture], "refuse")


def test_problems_are_written_even_if_the_data_set_is_refused(tmp_path):
    problem = Problem("bad_rle", "train.csv", 3, "odd", "a.jpg")
    with suppress(DataProblemsError), record_problems(tmp_path / "problems.csv") as problems:
        problems.append(problem)
        images_to_set_aside(problems, "refuse")
    table = pd.read_csv(tmp_path / "problems.csv")
    assert table.to_dict("records") == [
        {"kind": "bad_rle", "file": "train.csv", "row": 3, "message": "odd", "image_id": "a.jpg"}
    ]


def test_a_black_image_is_no_problem(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.png"), ["a.png"])
    cv2.imwrite(str(root / "train_images" / "a.png"), np.zeros((28, 42, 3), np.uint8))
    assert find_problems(root, tmp_path) == []
