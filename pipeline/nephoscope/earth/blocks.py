"""Arrays on disk as lazy arrays, so that memory stays flat while a large result is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.masks.rle import Shape

TILE = (256, 1024)
"""(rows, columns) of a chunk in files. Smaller maps are one chunk."""


def tile_shape(shape: tuple[int, ...]) -> Shape:
    """The chunk of a map of this shape: the whole map up to twice a tile, because half-empty chunks cost space.

    >>> tile_shape((350, 525)), tile_shape((1400, 8400))
    ((350, 525), (256, 1024))
    """
    rows, columns = (size if size <= 2 * tile else tile for size, tile in zip(shape, TILE, strict=True))
    return rows, columns


def chunk_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The chunk of a variable (…×H×W): one time and pattern, and a tile."""
    return (*(1 for _ in shape[:-2]), *tile_shape(shape[-2:]))


def to_lazy(array: Any) -> Any:
    """A memory map (…×H×W) → a dask array of rows; other arrays stay as they are."""
    if not isinstance(array, np.memmap) or array.filename is None or not array.flags.c_contiguous:
        return array
    import dask.array

    rows = _Rows(Path(array.filename), _offset(array), array.dtype, array.shape)
    chunks = (*array.shape[:-2], tile_shape(array.shape[-2:])[0], array.shape[-1])
    # The name is new for every array: the same file may hold something else by the next call.
    from_array: Any = dask.array.from_array
    return from_array(rows, chunks=chunks, name=False, asarray=False)


@dataclass(frozen=True)
class _Rows:
    """Opens the file for every part that is read: an open map would keep all pages that were read in memory."""

    path: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        return np.array(np.memmap(self.path, self.dtype, "r", self.offset, self.shape)[part])


def _offset(array: "np.memmap[Any, Any]") -> int:
    """Position of the first element in the file. A view of a map has the offset of the whole map."""
    whole = array
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    return int(whole.offset + array.ctypes.data - whole.ctypes.data)
