"""Arrays on disk as lazy arrays, so that memory stays flat while a large result is written."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.windows.fields import Field
from nephoscope.earth.windows.row_store import IN_MEMORY, read_part
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
    """A memory map (…×H×W) or a large field → a dask array of rows; other arrays stay as they are."""
    if isinstance(array, Field) and array.shape[1] * array.shape[2] <= IN_MEMORY:
        return np.asarray(array)
    if not isinstance(array, np.memmap | Field):
        return array
    import dask.array

    # Rows of one pattern at a time.
    chunks = (*chunk_shape(array.shape)[:-1], array.shape[-1])
    # The name is new for every array: the same file may hold something else by the next call.
    from_array: Any = dask.array.from_array
    return from_array(_Parts(array), chunks=chunks, name=False, asarray=False)


@dataclass(frozen=True)
class _Parts:
    """Reads parts of an array without keeping their pages in memory."""

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        return read_part(self.array, part)
