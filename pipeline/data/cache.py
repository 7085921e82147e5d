"""The cache: decoded pictures and truth as memory-mapped arrays, so that training never decodes a JPEG twice."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.masks.rle import Shape

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
