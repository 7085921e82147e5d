"""Data sets with classes of their own: the same truth in every format, and shapes from the images."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from nephoscope.data.assemble import make_metadata
from nephoscope.data.cache import Cache, CacheRecord, fill_cache
from nephoscope.data.formats import CLOUDS, own_format
from nephoscope.data.manifest import Metadata
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import choose_cache_shape, fit_cache, open_source
from nephoscope.data.problems import Problem
from nephoscope.masks.geometry import from_planes
from nephoscope.masks.rle import encode_rle
from tests.builders.datasets import write_picture
from tests.builders.own_datasets import SHAPE, THREE, TWELVE, draw_boxes, find_own_problems, write_own

FORMATS = ("boxes", "coco", "masks")


def fill(root: Path, name: str, folder: Path, **options: object) -> tuple[Cache, list[CacheRecord]]:
    problems: list[Problem] = []
    source = open_source(root, name, OwnOptions(**options), problems)  # type: ignore[arg-type]
    records = fill_cache(folder, source, (32, 48), problems)
    assert not problems
    return Cache.open(folder), records


@pytest.mark.parametrize("classes", [THREE[:1], THREE, TWELVE], ids=len)
def test_the_same_labels_give_the_same_truth_in_every_format(tmp_path: Path, classes: tuple[str, ...]) -> None:
    runs = []
    for name in FORMATS:
        write_own(tmp_path / name, name, classes)
        runs.append(fill(tmp_path / name, name, tmp_path / f"{name}-cache", classes=classes, output_shape=(80, 120)))
    cache, records = runs[0]
    for other, other_records in runs[1:]:
        assert other_records == records
        for array in ("images", "truth", "visible"):
            assert np.array_equal(getattr(other, array), getattr(cache, array))
    masks = from_planes(cache.truth, len(classes))
    image_ids = [record.image_id for record in records]
    for image_id, class_name, x1, y1, x2, y2 in draw_boxes(classes):
        mask = masks[image_ids.index(image_id), classes.index(class_name)]
        assert mask[y1 // 2 + 1 : y2 // 2, x1 // 2 + 1 : x2 // 2].all()
    assert {name for record in records for name in record.rles} == set(classes)


def test_clouds_labels_give_the_same_cache_in_every_format(tmp_path: Path) -> None:
    """Truth at 1400×2100, images smaller: as in the competition."""
    mask = np.zeros(CLOUDS.rle_shape, bool)
    mask[101:977, 333:1500] = True
    for name in ("clouds", *FORMATS):
        write_picture(tmp_path / name / "train_images/a.png", (70, 105))
    rows = [f"a.png_{name},{encode_rle(mask) if name == 'Fish' else ''}" for name in CLOUDS.classes]
    (tmp_path / "clouds/train.csv").write_text("\n".join(["Image_Label,EncodedPixels", *rows]))
    (tmp_path / "boxes/boxes.csv").write_text("file,x1,y1,x2,y2,label\na.png,333,101,1500,977,Fish\n")
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [333, 101, 1167, 876]}
    image = {"id": 1, "file_name": "a.png", "height": 1400, "width": 2100}
    content = {"images": [image], "annotations": [entry], "categories": [{"id": 1, "name": "Fish"}]}
    (tmp_path / "coco/annotations.json").write_text(json.dumps(content))
    (tmp_path / "masks/masks/Fish").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "masks/masks/Fish/a.png"), 255 * mask.astype(np.uint8))
    runs = {
        name: fill(tmp_path / name, name, tmp_path / f"{name}-cache", **options)
        for name, options in {
            "clouds": {},
            "boxes": {"label_shape": (1400, 2100)},
            "coco": {"nodata": True},
            "masks": {"nodata": True},
        }.items()
    }
    cache, records = runs["clouds"]
    for other, other_records in runs.values():
        assert other_records == records
        assert np.array_equal(other.truth, cache.truth)
        assert np.array_equal(other.images, cache.images)


def test_shapes_come_from_the_usual_image(tmp_path: Path) -> None:
    for name, shape in {"a": (60, 100), "b": (60, 100), "c": (90, 90)}.items():
        write_picture(tmp_path / f"train_images/{name}.png", shape)
    cv2.imwrite(str(tmp_path / "train_images/d.png"), np.zeros((60, 100), np.uint8))
    (tmp_path / "masks/x").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "masks/x/a.png"), np.full((60, 100), 255, np.uint8))
    source = open_source(tmp_path, "masks", OwnOptions(), [])
    assert (source.data_format.output_shape, source.data_format.rle_shape) == ((332, 553), (332, 553))
    assert abs(332 * 553 / (350 * 525) - 1) < 0.01
    assert choose_cache_shape(source.data_format, None) == (128, 192)
    (problem,) = find_own_problems(tmp_path, tmp_path, "masks")
    assert problem.startswith("train_images/c.png: wrong_aspect: 90×90 has the aspect 1.000, masks of 332×553")
    chosen = open_source(tmp_path, "masks", OwnOptions(output_shape=(90, 90), nodata=True, ground_size=(5.0, 5.0)), [])
    metadata = make_metadata(chosen.data_format, (64, 64), 0)
    assert metadata == Metadata("masks", ("x",), (90, 90), (90, 90), (64, 64), nodata=True, ground_size=(5.0, 5.0))


def test_an_image_that_its_file_turns_has_the_turned_shape(tmp_path: Path) -> None:
    (tmp_path / "train_images").mkdir()
    exif = Pillow.Exif()
    exif[274] = 6  # orientation: turned by 90°
    noise = np.random.default_rng(0).integers(0, 255, (400, 800, 3), np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "train_images/a.jpg", exif=exif)
    (tmp_path / "boxes.csv").write_text("file,x1,y1,x2,y2,label\na.jpg,0,400,400,800,x\n")
    source = open_source(tmp_path, "boxes", OwnOptions(), [])
    assert source.data_format.rle_shape == (800, 400)
    height, width = source.data_format.output_shape
    assert height == pytest.approx(2 * width, abs=1)
    _, (record,) = fill(tmp_path, "boxes", tmp_path / "cache", output_shape=(80, 40))
    assert record.areas == {"x": 0.5}


@pytest.mark.parametrize(
    ("output_shape", "expected"), [((350, 525), (128, 192)), ((429, 429), (160, 160)), ((256, 1600), (64, 384))]
)
def test_the_cache_suits_networks_and_the_aspect(output_shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fit_cache(output_shape) == expected
    assert choose_cache_shape(own_format("coco", ("x",), output_shape, output_shape, nodata=False), (8, 8)) == (8, 8)
    assert choose_cache_shape(CLOUDS, None) == (128, 192)


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_without_images_is_refused(tmp_path: Path, name: str) -> None:
    (problem,) = find_own_problems(tmp_path, tmp_path, name)
    assert problem.startswith("train_images: missing_folder: no such folder in")
    (tmp_path / "train_images").mkdir()
    (problem,) = find_own_problems(tmp_path, tmp_path, name)
    assert problem.startswith("train_images: no_pictures")


def test_problems_of_labels_leave_out_their_image_only(tmp_path: Path) -> None:
    write_own(tmp_path, "boxes", THREE)
    with (tmp_path / "boxes.csv").open("a") as file:
        file.write("99,scene 00.png,5,5,1,1,1\n")
    problems: list[Problem] = []
    source = open_source(tmp_path, "boxes", OwnOptions(), problems)
    assert [problem.image_id for problem in problems] == ["scene 00.png"]
    assert "scene 00.png" not in source.annotations
    assert source.images["image_id"].tolist()[-2:] == ["u 1.png", "u 2.png"]
    assert SHAPE == (64, 96)
