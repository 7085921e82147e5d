"""Scenes on disk, laid out as the competitions lay out their data sets."""

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
"""(rng, shape of the picture, shape of the masks) → scene"""
SCENES: dict[str, SceneDrawer] = {"clouds": draw_clouds_scene, "severstal": draw_steel_scene}
JPEG_QUALITY = 92
DIGITS = 7  # hexadecimal, of an image_id


def write_dataset(
    folder: Path, *, format_name: str = "clouds", csv_layout: CsvLayout = "joined", labelled: int, unlabelled: int = 0,
    shape: Shape | None = None, seed: int = 0,
) -> None:  # fmt: skip
    """Draw scenes into a folder that takes its place once it is whole. Without a shape, pictures have the judged one.

    Labelled scenes have the even numbers and unlabelled ones the odd, so that neither count shifts the other's scenes.
    """
    written = FORMATS[format_name]
    layout = csv_layout_of(written, csv_layout)
    with atomic_write(folder) as unfinished:
        write = partial(_write_scene, written=written, shape=shape or written.output_shape, seed=seed)
        encoded = sorted(_in_parallel(write, unfinished / LABELLED_FOLDER, range(0, 2 * labelled, 2)))
        rows = [row for image_id, rles in encoded for row in _rows(image_id, rles, written, layout)]
        pd.DataFrame(rows, columns=list(layout.columns)).to_csv(unfinished / LABELS_FILE, index=False)
        _in_parallel(write, unfinished / UNLABELLED_FOLDER, range(1, 2 * unlabelled, 2))


def csv_layout_of(written: Format, csv_layout: CsvLayout) -> Layout:
    """The layout of this name: "joined" has one key column, "split" has two."""
    layouts = {"split" if len(layout.columns) == 3 else "joined": layout for layout in written.layouts}
    if csv_layout not in layouts:
        raise UserError(f"csv_layout: {csv_layout} is not a layout of {written.name}; it has {', '.join(layouts)}")
    return layouts[csv_layout]


def scene_rng(seed: int, number: int) -> np.random.Generator:
    """Every scene has its own stream: it depends neither on how many scenes there are nor on who draws them when."""
    return np.random.default_rng([seed, number])


def image_id_of(seed: int, number: int) -> str:
    """Seven digits that look drawn by lot, and never repeat: an odd multiplier permutes the numbers of 28 bits."""
    return f"{(number * 0x9E3779B + seed * 0x61C8865 + 0x2F0B4C7) % 16**DIGITS:0{DIGITS}x}.jpg"


def _in_parallel(write: Callable[[Path, int], Any], folder: Path, numbers: range) -> list[Any]:
    folder.mkdir(parents=True)
    # Threads: the time goes into numpy and OpenCV, which let other threads run.
    drawn = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        joblib.delayed(write)(folder, number) for number in numbers
    )
    return list(tqdm(drawn, desc=f"scenes of {folder.name}", total=len(numbers), unit="", disable=None))


def _write_scene(folder: Path, number: int, *, written: Format, shape: Shape, seed: int) -> tuple[str, list[str]]:
    scene = SCENES[written.name](scene_rng(seed, number), shape, written.rle_shape)
    image_id = image_id_of(seed, number)
    _, encoded = cv2.imencode(".jpg", scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (folder / image_id).write_bytes(encoded.tobytes())
    return image_id, [encode_rle(mask) for mask in scene.masks]


def _rows(image_id: str, rles: list[str], written: Format, layout: Layout) -> Iterator[tuple[str, ...]]:
    for class_name, rle in zip(written.classes, rles, strict=True):
        if rle or layout.every_class:
            yield layout.row(image_id, class_name, rle)
