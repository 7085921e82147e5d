"""Format `boxes`: what a row means, and every problem that a row can have."""

from pathlib import Path

import numpy as np
import pytest

from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import open_source
from tests.builders.datasets import write_picture
from tests.builders.own_datasets import find_own_problems

HEADER = "idx,file,x1,y1,x2,y2,label"


def write(root: Path, rows: list[str], header: str = HEADER) -> Path:
    for name in ("a.png", "b.png"):
        write_picture(root / "train_images" / name)  # 28×42
    (root / "boxes.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return root


def masks_of(root: Path, image_id: str, **options: object) -> dict[str, np.ndarray]:
    source = open_source(root, "boxes", OwnOptions(**options), [])  # type: ignore[arg-type]
    path = root / "train_images" / image_id
    return dict(source.annotations[image_id].draw(path, np.zeros((28, 42, 3), np.uint8)))


def test_truth_is_the_union_of_all_boxes_of_a_class(tmp_path: Path) -> None:
    write(
        tmp_path,
        ["1,x/a.png,2,3,10,9,Fish", "2,x/a.png,8,5,60,20,Fish", "3,x/a.png,-4,-4,1,1,Ice floe", "4,b.png,,,,,"],
    )
    masks = masks_of(tmp_path, "a.png")
    fish = np.zeros((28, 42), bool)
    fish[3:9, 2:10] = fish[5:20, 8:42] = True
    assert np.array_equal(masks["Fish"], fish)
    assert masks["Ice floe"].sum() == 1
    assert find_own_problems(tmp_path, tmp_path, "boxes") == []


def test_boxes_may_be_counted_in_other_pixels_than_those_of_the_image(tmp_path: Path) -> None:
    write(tmp_path, ["1,a.png,210,140,420,280,Fish", "2,b.png,,,,,"])
    mask = masks_of(tmp_path, "a.png", label_shape=(280, 420))["Fish"]
    assert mask.shape == (280, 420)
    assert mask.sum() == mask[140:, 210:].sum() == 140 * 210


def test_classes_can_be_chosen_and_others_are_counted(tmp_path: Path) -> None:
    write(tmp_path, ["1,a.png,0,0,9,9,Fish", "2,a.png,0,0,9,9,Ice", "3,b.png,0,0,9,9,Ice"])
    source = open_source(tmp_path, "boxes", OwnOptions(classes=("Fish",)), [])
    assert source.data_format.classes == ("Fish",)
    assert "left out, because prepare.classes does not name them: 2 Ice" in source.note
    problems = find_own_problems(tmp_path, tmp_path, "boxes", classes=("Fish", "Isce"))
    assert problems == [
        "boxes.csv: bad_classes: prepare.classes names Isce, which the labels do not have; they have: Fish, Ice"
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("3,a.png,1,1,9,9", "boxes.csv:4: malformed_row: 6 cells, but 7 columns"),
        ("3,,1,1,9,9,Fish", "boxes.csv:4: malformed_row: no file is named"),
        (
            "3,a.png,1,1,9,,Fish",
            "boxes.csv:4: malformed_row: a.png: a box needs four numbers and a label; without a box",
        ),
        ("3,a.png,1,1,9,9,", "boxes.csv:4: malformed_row: a.png: a box needs four numbers and a label"),
        ("1,a.png,1,1,9,9,Fish", "boxes.csv:4: duplicate_row: idx 1 is already on line 2"),
        ("3,other/a.png,1,1,9,9,Fish", "boxes.csv:4: doubled_picture: other/a.png and a.png have the same name"),
        ("3,a.png,one,1,9,9,Fish", "boxes.csv:4: bad_box: Fish of a.png: not four numbers: one, 1, 9, 9"),
        ("3,a.png,nan,1,9,9,Fish", "boxes.csv:4: bad_box: Fish of a.png: not four finite numbers"),
        ("3,a.png,1,1,1e999,9,Fish", "boxes.csv:4: bad_box: Fish of a.png: not four finite numbers"),
        (
            "3,a.png,9,1,9,9,Fish",
            "boxes.csv:4: bad_box: Fish of a.png: x1, y1, x2, y2 are 9, 1, 9, 9; expected x1 < x2",
        ),
        ("3,a.png,50,1,60,9,Fish", "boxes.csv:4: bad_box: the box (50.0, 1.0, 60.0, 9.0) covers no pixel of the 28×42"),
        ("3,c.png,1,1,9,9,Fish", "boxes.csv:4: missing_picture: c.png is not in train_images"),
        ("3,a.png,1,1,9,9,../x", "boxes.csv: bad_classes: the class name '../x' contains '/'"),
        ("3,a.png,1,1,9,9,fish", "boxes.csv: bad_classes: the class names 'Fish' and 'fish' differ in capitals only"),
    ],
)
def test_problems_have_the_line_of_the_row(tmp_path: Path, row: str, problem: str) -> None:
    write(tmp_path, ["1,a.png,1,1,9,9,Fish", "2,b.png,,,,,", row])
    (found,) = find_own_problems(tmp_path, tmp_path, "boxes")
    assert found.startswith(problem)


def test_an_image_that_nobody_saw_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, ["1,a.png,1,1,9,9,Fish"])
    assert find_own_problems(tmp_path, tmp_path, "boxes") == [
        "train_images/b.png: extra_picture: the image has no entry in boxes.csv"
    ]


def test_files_that_are_no_boxes_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ["a.png,1"], header="file,x1")
    assert find_own_problems(tmp_path, tmp_path, "boxes") == [
        "boxes.csv: missing_column: y1, x2, y2, label missing in file, x1; expected: file, x1, y1, x2, y2, label"
    ]
    (tmp_path / "boxes.csv").unlink()
    (problem,) = find_own_problems(tmp_path, tmp_path, "boxes")
    assert problem.startswith("boxes.csv: missing_labels: no such file in")
    write(tmp_path, ["1,a.png,,,,,", "2,b.png,,,,,"])
    assert find_own_problems(tmp_path, tmp_path, "boxes")[0].startswith("boxes.csv: bad_classes: no classes")
