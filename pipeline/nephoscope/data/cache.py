"""The cache: decoded images, truth and visibility as memory-mapped arrays, so that training decodes no JPEG."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nephoscope.data.annotations import AnnotationError, NamedMasks
from nephoscope.data.formats import LABELLED_FOLDER, Format
from nephoscope.data.images import ImageError, fit_image, read_image
from nephoscope.data.problems import Problem, ProblemKind, check_aspect
from nephoscope.data.source import Source
from nephoscope.data.visible import find_visible
from nephoscope.files import atomic_write
from nephoscope.hardware import count_cores
from nephoscope.masks.geometry import Image, Planes, plane_type, resize_mask, to_planes
from nephoscope.masks.rle import Shape, encode_rle
from nephoscope.regular_files import reserve

ARRAYS = ("images", "truth", "visible")


def open_new(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
    """A new array on disk, mapped into memory."""
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    reserve(path)
    return array


@dataclass(frozen=True)
class Cache:
    """Row r of every array is row r of the manifest's images."""

    images: npt.NDArray[np.uint8]
    """N×H×W×3, RGB"""
    truth: Planes
    """N×H×W; bit c is class c (see `from_planes`)"""
    visible: npt.NDArray[np.bool_]
    """N×H×W"""

    @classmethod
    def create(cls, folder: Path, count: int, shape: Shape, class_count: int = 8) -> Self:
        """New arrays on disk, to be filled row by row."""
        folder.mkdir(parents=True, exist_ok=True)

        def new(name: str, dtype: type, *tail: int) -> Any:
            return open_new(folder / f"{name}.npy", dtype, (count, *shape, *tail))

        return cls(new("images", np.uint8, 3), new("truth", plane_type(class_count)), new("visible", np.bool_))

    @staticmethod
    def keep(folder: Path, rows: npt.NDArray[np.int64]) -> None:
        """Drop all other rows. Copies row by row, because the arrays may be larger than the memory."""
        for name in ARRAYS:
            path = folder / f"{name}.npy"
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if len(rows) == len(array):
                continue
            with atomic_write(path) as unfinished:
                shorter = open_new(unfinished, array.dtype, (len(rows), *array.shape[1:]))
                for target, row in enumerate(rows):
                    shorter[target] = array[row]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The arrays of a finished cache, memory-mapped and read-only."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS))


KIND: dict[str, ProblemKind] = {
    "unreadable": "unreadable_picture",
    "truncated": "truncated_picture",
    "damaged": "damaged_picture",
    "oversized": "oversized_picture",
    "undersized": "undersized_picture",
}


@dataclass(frozen=True)
class CacheRecord:
    """What is known about an image after its row of the cache was filled."""

    image_id: str
    problem: Problem | None = None
    visible_share: float = 0.0
    areas: dict[str, float] = field(default_factory=dict)
    """class_name → share of the pixels at the output shape, if not empty."""
    rles: dict[str, str] = field(default_factory=dict)
    """class_name → RLE at the output shape, if not empty."""


def fill_cache(folder: Path, source: Source, shape: Shape, problems: list[Problem]) -> list[CacheRecord]:
    """Write image r of the source to row r of a new cache. An image with a problem gets a black row and a problem."""
    data_format = source.data_format
    cache = Cache.create(folder, len(source.images), shape, len(data_format.classes))

    def fill(row: int, image_id: str, file: str) -> CacheRecord:
        try:
            image = read_image(source.root / file, near=shape)
            problem = check_aspect(image, data_format.rle_shape, file, image_id)
            if problem:  # reading at a reduced scale rounds the shape; check again at the full scale
                problem = check_aspect(read_image(source.root / file), data_format.rle_shape, file, image_id)
        except ImageError as error:
            problem = Problem(KIND[error.reason], file, None, str(error), image_id)
        if problem:
            return CacheRecord(image_id, problem)
        annotation = source.annotations.get(image_id) if file.startswith(f"{LABELLED_FOLDER}/") else None
        try:
            masks = annotation.draw(source.root / file, image) if annotation else iter(())
            return _fill_row(cache, row, image, image_id, masks, data_format)
        except AnnotationError as error:
            return CacheRecord(image_id, Problem(error.kind, error.file, error.row, str(error), image_id))

    images = zip(source.images["image_id"], source.images["file"], strict=True)
    tasks = (joblib.delayed(fill)(row, image_id, file) for row, (image_id, file) in enumerate(images))
    # Threads are enough, because OpenCV and NumPy release the GIL.
    running = joblib.Parallel(n_jobs=count_cores(), backend="threading", return_as="generator")(tasks)
    records = list(tqdm(running, total=len(source.images), desc="images", unit="", disable=None))
    problems += [record.problem for record in records if record.problem]
    return records


def _fill_row(
    cache: Cache, row: int, image: Image, image_id: str, drawn: NamedMasks, data_format: Format
) -> CacheRecord:
    shape, output_shape = cache.images.shape[1:3], data_format.output_shape
    masks = np.zeros((len(data_format.classes), *shape), bool)
    rles: dict[str, str] = {}
    areas: dict[str, float] = {}
    for name, mask in drawn:
        masks[data_format.classes.index(name)] = resize_mask(mask, shape)
        labelled = resize_mask(mask, output_shape)
        if labelled.any():
            rles[name], areas[name] = encode_rle(labelled), float(labelled.mean())
    in_order = {name: rles[name] for name in data_format.classes if name in rles}
    cache.images[row] = fit_image(image, shape)
    cache.visible[row] = find_visible(cache.images[row], data_format.nodata)
    cache.truth[row] = to_planes(masks)
    return CacheRecord(image_id, None, float(cache.visible[row].mean()), areas, in_order)
