"""Format `masks`: three layouts, and every problem that a file can have."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from nephoscope.batch.outputs import encode_mask
from nephoscope.data import mask_images
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import open_source
from tests.builders.datasets import write_picture
from tests.builders.own_datasets import find_own_problems, write_png

SHAPE = (28, 42)
MASK = np.zeros(SHAPE, bool)
MASK[3:9, 2:10] = True


def write_images(root: Path, *names: str) -> None:
    for name in names:
        write_picture(root / "train_images" / name, SHAPE)


def masks_of(root: Path, image_id: str, **options: Any) -> dict[str, np.ndarray]:
    problems: list[Any] = []
    source = open_source(root, "masks", OwnOptions(**options), problems)
    assert not problems
    return dict(source.annotations[image_id].draw(root, np.zeros((*SHAPE, 3), np.uint8)))


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    """As Pillow writes it, so that reading is checked against another writer than ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Pillow.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)


@pytest.mark.parametrize(
    "name", ["a.png_open water.png", "a_open water.png", "open water/a.png", "open water/a.png.png"]
)
def test_names_of_masks_are_with_or_without_the_ending_of_the_image(tmp_path: Path, name: str) -> None:
    write_images(tmp_path, "a.png", "b.png")
    write_png(tmp_path / "masks" / name, 255 * MASK.astype(np.uint8))
    assert np.array_equal(masks_of(tmp_path, "a.png")["open water"], MASK)
    assert open_source(tmp_path, "masks", OwnOptions(), []).data_format.classes == ("open water",)
    assert find_own_problems(tmp_path, tmp_path, "masks") == []  # b.png shows nothing


def test_masks_that_predict_wrote_are_read(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png_Fish.png").write_bytes(encode_mask(MASK))
    assert np.array_equal(masks_of(tmp_path, "a.png")["Fish"], MASK)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("white", [1, 255])
def test_any_kind_of_black_and_white_png_is_a_mask(tmp_path: Path, mode: str, white: int) -> None:
    if mode in ("1", "P") and white == 1:
        mode = "L"  # Pillow would make it black
    write_images(tmp_path, "a.png")
    save(tmp_path / "masks/a_x.png", MASK.astype(np.uint8) * white, mode)
    assert np.array_equal(masks_of(tmp_path, "a.png")["x"], MASK)


def test_a_mask_of_16_bits_and_masks_of_one_value_are_read(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png")
    save(tmp_path / "masks/a_x.png", MASK.astype(np.uint16) * 65535)
    save(tmp_path / "masks/a_full.png", np.full(SHAPE, 255, np.uint8))
    save(tmp_path / "masks/a_empty.png", np.zeros(SHAPE, np.uint8))
    masks = masks_of(tmp_path, "a.png")
    assert np.array_equal(masks["x"], MASK)
    assert masks["full"].all()
    assert not masks["empty"].any()


def test_pixel_values_are_classes_also_those_of_a_palette(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png", "b.png")
    values = np.zeros(SHAPE, np.uint8)
    values[:5], values[20:] = 1, 3
    save(tmp_path / "masks/a.png", values)
    picture = Pillow.fromarray(values)
    picture.putpalette([255, 255, 255, 200, 0, 0, 0, 200, 0, 0, 0, 0])  # converts "L" to "P"
    picture.save(tmp_path / "masks/b.png")
    for image_id in ("a.png", "b.png"):
        masks = masks_of(tmp_path, image_id, classes=("ice", "snow", "sea"))
        assert {name: mask.sum() for name, mask in masks.items()} == {"ice": 5 * 42, "snow": 0, "sea": 8 * 42}


def test_underscores_are_split_at_the_longest_image_or_the_chosen_class(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png", "a_b.png")
    write_png(tmp_path / "masks/a_b_c.png", 255 * MASK.astype(np.uint8))
    assert list(masks_of(tmp_path, "a_b.png")) == ["c"]
    assert list(masks_of(tmp_path, "a.png", classes=("b_c",))) == ["b_c"]


GREY = np.full(SHAPE, 7, np.uint8)


@pytest.mark.parametrize(
    ("name", "pixels", "problem"),
    [
        ("c_x.png", GREY, "masks/c_x.png: missing_picture: no image of train_images is named c,"),
        ("x.png", GREY, "masks/x.png: missing_picture: no image of train_images is named x,"),
        (
            "a_x.png",
            np.arange(28 * 42, dtype=np.uint8).reshape(SHAPE),
            "masks/a_x.png: bad_mask: it has the values 0, 1, 2",
        ),
        ("a_x.png", np.where(MASK, 1, 2).astype(np.uint8), "masks/a_x.png: bad_mask: it has the values 1, 2"),
        ("a_x.png", np.stack([GREY, GREY, 0 * GREY], -1), "masks/a_x.png: bad_mask: it has colours"),
        (
            "a_x.png",
            np.zeros((28, 28), np.uint8),
            "masks/a_x.png: wrong_aspect: the image of 28×42 has the aspect 1.500",
        ),
        ("a_x.png", b"", "masks/a_x.png: bad_mask: cannot be read: the file is empty"),
        ("a_x.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "masks/a_x.png: bad_mask: cannot be read"),
        ("a_x.png", cv2.imencode(".png", GREY)[1].tobytes()[:60], "masks/a_x.png: bad_mask: cannot be read"),
        ("a_x.png", cv2.imencode(".jpg", GREY)[1].tobytes(), "masks/a_x.png: bad_mask: a JPEG, which blurs"),
        ("a_Fish.png", GREY, "masks/a_Fish.png: duplicate_row: a.png_Fish.png is a mask of Fish in a.png, too"),
        ("a_fish.png", GREY, "masks: bad_classes: the class names 'Fish' and 'fish' differ in capitals only"),
        ("a_.png", GREY, "masks: bad_classes: the class name '' is empty"),
        ("a.png", GREY, "masks: unreadable_labels: a.png has the name of an image, but a.png_Fish.png adds a class"),
        ("x/a.png", GREY, "masks: unreadable_labels: holds PNG files and folders"),
        ("d_x.png", GREY, "masks/d_x.png: missing_picture: it may belong to d.jpeg or d.png"),
    ],
)
def test_problems_name_the_file(tmp_path: Path, name: str, pixels: Any, problem: str) -> None:
    write_images(tmp_path, "a.png", "d.png", "d.jpeg")
    write_png(tmp_path / "masks/a.png_Fish.png", 255 * MASK.astype(np.uint8))
    if isinstance(pixels, bytes):
        (tmp_path / "masks" / name).write_bytes(pixels)
    else:
        save(tmp_path / "masks" / name, pixels)
    (found,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert found.startswith(problem)


def test_index_masks_need_classes_and_no_other_values(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png", "b.png")
    save(tmp_path / "masks/a.png", np.full(SHAPE, 3, np.uint8))
    (found,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert found.startswith("masks: bad_classes: masks with the names of images need prepare.classes")
    first, second = find_own_problems(tmp_path, tmp_path, "masks", classes=("x", "y"))
    assert first.startswith("train_images/b.png: extra_picture: the image has no entry in masks")
    assert second.startswith("masks/a.png: bad_mask: the pixel value 3, but prepare.classes names 2 classes")


def test_a_huge_mask_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path, "a.png")
    save(tmp_path / "masks/a_x.png", GREY)
    monkeypatch.setattr(mask_images, "MOST_PIXELS", 1000)
    (found,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert found == "masks/a_x.png: bad_mask: 28×42 pixels; at most 1000 are allowed"


def test_no_masks_at_all_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png")
    (found,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert found.startswith("masks: missing_labels: no such folder in")
    (tmp_path / "masks").mkdir()
    (found,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert found == "masks: unreadable_labels: holds no PNG files"


def test_a_name_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    write_images(tmp_path, "a.png")
    write_png(tmp_path / "masks/a_x.png", GREY)
    (tmp_path / "masks/a_y\udcff.png").write_bytes(b"")
    (found,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert found == "masks/a_y\\udcff.png: misnamed_picture: the file's name is not UTF-8; rename it"
