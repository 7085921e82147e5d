"""Tiny data sets with classes of their own: the same rectangles as boxes, COCO and masks."""

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nephoscope.data.cache import fill_cache
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import open_source
from nephoscope.data.problems import DataProblemsError, Problem

SHAPE = (64, 96)
IMAGE_COUNT = 24
THREE = ("Überschwemmung", "open water", "sea-ice (old)")
TWELVE = (*THREE, "1", "nan", "a_b", "50% cover", "雲", "+", "O'Brien's &amp;", "Any more", "x" * 40)
Box = tuple[str, str, int, int, int, int]
"""image_id, class_name, x1, y1, x2, y2"""


def draw_boxes(classes: tuple[str, ...], count: int = IMAGE_COUNT) -> list[Box]:
    """Two boxes in every image, so that every class occurs."""
    random = np.random.default_rng(len(classes))
    boxes = []
    for number in range(count):
        for index in (number, number + 1):
            x, y = (int(random.integers(0, size // 2)) for size in (SHAPE[1], SHAPE[0]))
            boxes.append((f"scene {number:02d}.png", classes[index % len(classes)], x, y, x + 40, y + 28))
    return boxes


def write_images(root: Path, boxes: list[Box]) -> None:
    """Noise, brighter inside of boxes; and two unlabelled images."""
    random = np.random.default_rng(0)
    names = dict.fromkeys(image_id for image_id, *_ in boxes)
    for folder, image_ids in (("train_images", list(names)), ("test_images", ["u 1.png", "u 2.png"])):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for image_id in image_ids:
            image = random.integers(20, 120, (*SHAPE, 3), np.uint8)
            for name, _, x1, y1, x2, y2 in boxes:
                if name == image_id:
                    image[y1:y2, x1:x2] += 90
            cv2.imwrite(str(root / folder / image_id), image)


def write_boxes(root: Path, boxes: list[Box], classes: tuple[str, ...]) -> None:
    assert set(classes) >= {name for _, name, *_ in boxes}
    with (root / "boxes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["idx", "file", "x1", "y1", "x2", "y2", "label"])
        writer.writerows([[index, f"a/{box[0]}", *box[2:], box[1]] for index, box in enumerate(boxes)])


def coco_content(boxes: list[Box], classes: tuple[str, ...]) -> dict[str, Any]:
    image_ids = list(dict.fromkeys(image_id for image_id, *_ in boxes))
    annotations = []
    for number, (image_id, name, x1, y1, x2, y2) in enumerate(boxes):
        keys = {"id": number, "image_id": image_ids.index(image_id), "category_id": classes.index(name) + 7}
        annotations.append({**keys, "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]], "iscrowd": 0})
    return {
        "images": [
            {"id": number, "file_name": image_id, "height": SHAPE[0], "width": SHAPE[1]}
            for number, image_id in enumerate(image_ids)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 7)],
    }


def write_coco(root: Path, boxes: list[Box], classes: tuple[str, ...]) -> None:
    (root / "annotations.json").write_text(json.dumps(coco_content(boxes, classes)), "utf-8")


def write_masks(root: Path, boxes: list[Box], _classes: tuple[str, ...]) -> None:
    masks: dict[tuple[str, str], np.ndarray] = {}
    for image_id, name, x1, y1, x2, y2 in boxes:
        masks.setdefault((image_id, name), np.zeros(SHAPE, np.uint8))[y1:y2, x1:x2] = 255
    for (image_id, name), mask in masks.items():
        write_png(root / "masks" / f"{image_id}_{name}.png", mask)


def write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


WRITERS: dict[str, Callable[[Path, list[Box], tuple[str, ...]], None]] = {
    "boxes": write_boxes,
    "coco": write_coco,
    "masks": write_masks,
}


def write_own(root: Path, name: str, classes: tuple[str, ...]) -> None:
    boxes = draw_boxes(classes)
    write_images(root, boxes)
    WRITERS[name](root, boxes, classes)


def find_own_problems(root: Path, tmp_path: Path, name: str, **options: Any) -> list[str]:
    """The messages of all problems of a data set."""
    problems: list[Problem] = []
    with suppress(DataProblemsError):
        source = open_source(root, name, OwnOptions(**options), problems)
        fill_cache(tmp_path / "cache", source, (8, 12), problems)
    return [str(problem) for problem in problems]
