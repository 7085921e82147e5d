"""Synthetic data sets on disk, in the layout of the competitions."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from nephoscope.data.formats import FORMATS, LABELLED_FOLDER, LABELS_FILE, UNLABELLED_FOLDER, Format, Layout
from nephoscope.data.synthetic.clouds import draw_clouds_scene
from nephoscope.data.synthetic.scene import Scene
from nephoscope.data.synthetic.steel import draw_steel_scene
from nephoscope.errors import UserError
from nephoscope.files import atomic_write
from nephoscope.masks.rle import Shape, encode_rle

CsvLayout = Literal["joined", "split"]
SceneDrawer = Callable[[np.random.Generator, Shape, Shape], Scene]
"""(rng, image shape, mask shape) → scene"""
SCENES: dict[str, SceneDrawer] = {"clouds": draw_clouds_scene, "severstal": draw_steel_scene}
JPEG_QUALITY = 92
DIGITS = 7  # hexadecimal digits of an image_id


def write_dataset(
    folder: Path, *, format_name: str = "clouds", csv_layout: CsvLayout = "joined", labelled: int, unlabelled: int = 0,
    shape: Shape | None = None, seed: int = 0,
) -> None:  # fmt: skip
    """Draw scenes and write them atomically as a data set. Without a shape, images have the output shape.

    Labelled scenes have even numbers and unlabelled ones odd, so that neither count changes the other scenes.
    """
    data_format = FORMATS[format_name]
    layout = csv_layout_of(data_format, csv_layout)
    with atomic_write(folder) as unfinished:
        write = partial(_write_scene, data_format=data_format, shape=shape or data_format.output_shape, seed=seed)
        encoded = sorted(_in_parallel(write, unfinished / LABELLED_FOLDER, range(0, 2 * labelled, 2)))
        rows = [row for image_id, rles in encoded for row in _rows(image_id, rles, data_format, layout)]
        pd.DataFrame(rows, columns=list(layout.columns)).to_csv(unfinished / LABELS_FILE, index=False)
        _in_parallel(write, unfinished / UNLABELLED_FOLDER, range(1, 2 * unlabelled, 2))


def csv_layout_of(data_format: Format, csv_layout: CsvLayout) -> Layout:
    """The layout of this name: "joined" has one key column, "split" has two."""
    layouts = {"split" if len(layout.columns) == 3 else "joined": layout for layout in data_format.layouts}
    if csv_layout not in layouts:
        raise UserError(f"csv_layout: {csv_layout} is not a layout of {data_format.name}; it has {', '.join(layouts)}")
    return layouts[csv_layout]


def scene_rng(seed: int, number: int) -> np.random.Generator:
    """The random generator of a scene. It does not depend on other scenes or on the order of drawing."""
    return np.random.default_rng([seed, number])


def image_id_of(seed: int, number: int) -> str:
    """Seven hexadecimal digits that look random and never repeat, because an odd multiplier permutes 28-bit numbers."""
    return f"{(number * 0x9E3779B + seed * 0x61C8865 + 0x2F0B4C7) % 16**DIGITS:0{DIGITS}x}.jpg"


def _in_parallel(write: Callable[[Path, int], Any], folder: Path, numbers: range) -> list[Any]:
    folder.mkdir(parents=True)
    # Threads are enough, because NumPy and OpenCV release the GIL.
    drawn = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        joblib.delayed(write)(folder, number) for number in numbers
    )
    return list(tqdm(drawn, desc=f"scenes of {folder.name}", total=len(numbers), unit="", disable=None))


def _write_scene(folder: Path, number: int, *, data_format: Format, shape: Shape, seed: int) -> tuple[str, list[str]]:
    scene = SCENES[data_format.name](scene_rng(seed, number), shape, data_format.rle_shape)
    image_id = image_id_of(seed, number)
    _, encoded = cv2.imencode(".jpg", scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (folder / image_id).write_bytes(encoded.tobytes())
    return image_id, [encode_rle(mask) for mask in scene.masks]


def _rows(image_id: str, rles: list[str], data_format: Format, layout: Layout) -> Iterator[tuple[str, ...]]:
    for class_name, rle in zip(data_format.classes, rles, strict=True):
        if rle or layout.every_class:
            yield layout.row(image_id, class_name, rle)
