"""Tiny data sets on disk: a few small noisy images and a CSV of given rows."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from nephoscope.data.cache import fill_cache
from nephoscope.data.formats import FORMATS
from nephoscope.data.problems import DataProblemsError, Problem
from nephoscope.data.source import read_source
from nephoscope.masks.rle import Shape

CLOUD_SHAPE, STEEL_SHAPE = (28, 42), (16, 100)


def write_picture(path: Path, shape: Shape = CLOUD_SHAPE) -> None:
    """Write noise that depends on the name, so that no two images are near duplicates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    cv2.imwrite(str(path), rng.integers(40, 250, (*shape, 3), dtype=np.uint8))


def write_clouds(root: Path, rows: Sequence[str], images: Sequence[str] = (), shape: Shape = CLOUD_SHAPE) -> Path:
    """Write train.csv with these rows, and these images to train_images."""
    for image_id in images:
        write_picture(root / "train_images" / image_id, shape)
    (root / "train.csv").write_text("\n".join(["Image_Label,EncodedPixels", *rows]) + "\n", "utf-8")
    return root


def cloud_rows(image_id: str, **rles: str) -> list[str]:
    """The four rows of an image. A class without an RLE is empty."""
    return [f"{image_id}_{name},{rles.get(name, '')}" for name in FORMATS["clouds"].classes]


def find_problems(root: Path, tmp_path: Path, name: str = "clouds") -> list[str]:
    """The messages of all problems of a data set."""
    problems: list[Problem] = []
    with suppress(DataProblemsError):
        fill_cache(tmp_path / "cache", read_source(root, FORMATS[name], problems), (8, 12), problems)
    return [str(problem) for problem in problems]
