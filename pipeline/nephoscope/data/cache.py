"""The cache: decoded pictures and truth as memory-mapped arrays, so that training never decodes a JPEG twice."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nephoscope.data.formats import Format
from nephoscope.data.images import ImageError, fit_image, read_image
from nephoscope.data.problems import Problem, ProblemKind, check_picture
from nephoscope.data.source import Source
from nephoscope.data.visible import find_visible
from nephoscope.hardware import count_cores
from nephoscope.masks.geometry import Image, resize_mask, to_planes
from nephoscope.masks.rle import Shape, decode_rle, encode_rle

ARRAYS = ("images", "truth", "visible")


@dataclass(frozen=True)
class Cache:
    """Row r of every array belongs to row r of the manifest's images."""

    images: npt.NDArray[np.uint8]
    """N×H×W×3, RGB"""
    truth: npt.NDArray[np.uint8]
    """N×H×W; bit c is class c (`from_planes` gives masks back)"""
    visible: npt.NDArray[np.bool_]
    """N×H×W"""

    @classmethod
    def create(cls, folder: Path, count: int, shape: Shape) -> Self:
        """New arrays on disk, to be filled row by row."""
        folder.mkdir(parents=True, exist_ok=True)

        def new(name: str, dtype: type, *tail: int) -> Any:
            return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (count, *shape, *tail))

        return cls(new("images", np.uint8, 3), new("truth", np.uint8), new("visible", np.bool_))

    @staticmethod
    def keep(folder: Path, rows: npt.NDArray[np.int64]) -> None:
        """Leave only these rows (ascending), one at a time: the arrays may be larger than the memory."""
        for name in ARRAYS:
            path, shorter_path = folder / f"{name}.npy", folder / f"shorter-{name}.npy"
            whole = np.load(path, mmap_mode="r", allow_pickle=False)
            if len(rows) == len(whole):
                continue
            shorter = np.lib.format.open_memmap(shorter_path, "w+", whole.dtype, (len(rows), *whole.shape[1:]))
            for row, kept in enumerate(rows):
                shorter[row] = whole[kept]
            shorter_path.replace(path)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The arrays of a finished cache, read only as far as they are looked at."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS))


KIND: dict[str, ProblemKind] = {
    "unreadable": "unreadable_picture",
    "truncated": "truncated_picture",
    "oversized": "oversized_picture",
    "undersized": "undersized_picture",
}


@dataclass(frozen=True)
class Filled:
    """What was learnt of a picture while its row of the cache was filled."""

    image_id: str
    problem: Problem | None = None
    visible_share: float = 0.0
    areas: dict[str, float] = field(default_factory=dict)
    """class_name → share of the judged pixels, where not empty."""
    rles: dict[str, str] = field(default_factory=dict)
    """class_name → RLE at the output shape, where not empty."""


def fill_cache(
    folder: Path, source: Source, data_format: Format, shape: Shape, problems: list[Problem]
) -> list[Filled]:
    """Row r of a new cache is picture r of the source. A picture with a problem leaves a black row and its problem."""
    cache = Cache.create(folder, len(source.pictures), shape)

    def fill(row: int, image_id: str, file: str) -> Filled:
        try:
            image = read_image(source.root / file, near=shape)
            problem = check_picture(image, data_format.rle_shape, file, image_id)
            if problem:  # seen at a reduced scale; only the whole picture tells its true size
                problem = check_picture(read_image(source.root / file), data_format.rle_shape, file, image_id)
        except ImageError as error:
            problem = Problem(KIND[error.reason], file, None, str(error), image_id)
        if problem:
            return Filled(image_id, problem)
        return _fill_row(cache, row, image, image_id, source.rles.get(image_id, {}), data_format)

    pictures = zip(source.pictures["image_id"], source.pictures["file"], strict=True)
    tasks = (joblib.delayed(fill)(row, image_id, file) for row, (image_id, file) in enumerate(pictures))
    # Threads, because OpenCV and numpy let go of the interpreter while they work on a picture.
    running = joblib.Parallel(n_jobs=count_cores(), backend="threading", return_as="generator")(tasks)
    filled = list(_shown(running, len(source.pictures)))
    problems += [one.problem for one in filled if one.problem]
    return filled


def _shown(running: Iterator[Filled], count: int) -> Iterator[Filled]:
    yield from tqdm(running, total=count, desc="pictures", unit="", disable=None)


def _fill_row(cache: Cache, row: int, image: Image, image_id: str, rles: dict[str, str], data_format: Format) -> Filled:
    shape, output_shape = cache.images.shape[1:3], data_format.output_shape
    masks = np.zeros((len(data_format.classes), *shape), bool)
    labelled_rles: dict[str, str] = {}
    areas: dict[str, float] = {}
    for index, name in enumerate(data_format.classes):
        if name not in rles:
            continue
        mask = decode_rle(rles[name], data_format.rle_shape)
        masks[index] = resize_mask(mask, shape)
        labelled = resize_mask(mask, output_shape)
        if labelled.any():
            labelled_rles[name], areas[name] = encode_rle(labelled), float(labelled.mean())
    cache.images[row] = fit_image(image, shape)
    cache.visible[row] = find_visible(cache.images[row], data_format.nodata)
    cache.truth[row] = to_planes(masks)
    return Filled(image_id, None, float(cache.visible[row].mean()), areas, labelled_rles)
