"""Arrays that are written and read by rows: in memory if they are small, otherwise in a temporary file."""

import mmap
import tempfile
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError

IN_MEMORY = 4_000_000
"""Cells (H×W). The arrays of a larger output lie on disk."""


class RowStore:
    """An array …×H×W of uint8 or bool, at first all zero.

    The file has no name, so the system removes it with the last array that uses it, even if the process is killed.
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, *, in_memory: bool | None = None) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        height, width = shape[-2:]
        in_memory = height * width <= IN_MEMORY if in_memory is None else in_memory
        self._array = np.zeros(shape if in_memory else 0, self.dtype)
        self._file = None if in_memory else tempfile.TemporaryFile(prefix="nephoscope-")  # noqa: SIM115
        if self._file:
            weakref.finalize(self, self._file.close)
            self._file.truncate(int(np.prod(shape)))

    def write(self, start: int, rows: npt.NDArray[Any]) -> None:
        """Write rows (…×h×W), beginning with the row `start`."""
        if self._file is None:
            self._array[..., start : start + rows.shape[-2], :] = rows
            return
        try:
            for offset, plane in zip(self._offsets(start), rows.reshape(-1, *rows.shape[-2:]), strict=True):
                self._file.seek(offset)
                self._file.write(np.ascontiguousarray(plane, self.dtype).data)
            self._file.flush()
        except OSError as error:
            raise UserError(
                f"{tempfile.gettempdir()}: {error.strerror}; the maps of this scene need about "
                f"{2.5 * np.prod(self.shape) / 1e6:.0f} MB there; set TMPDIR to a folder with more space"
            ) from error

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Rows start … stop (…×h×W), as a new array."""
        if self._file is None:
            return self._array[..., start:stop, :].copy()
        rows = np.empty((len(self._offsets(start)), stop - start, self.shape[-1]), self.dtype)
        for offset, plane in zip(self._offsets(start), rows, strict=True):
            self._file.seek(offset)
            self._file.readinto(plane.data)
        return rows.reshape(*self.shape[:-2], *rows.shape[1:])

    def finish(self) -> npt.NDArray[Any]:
        """All of it: an array in memory, or a read-only map of the file. Nothing is read or written afterwards."""
        if self._file is None:
            return self._array
        array = np.memmap(self._file, self.dtype, "r", shape=self.shape)
        self._file.close()  # the map keeps a handle of its own
        return array

    def _offsets(self, start: int) -> range:
        """Position of a row in the file, for every plane H×W."""
        height, width = self.shape[-2:]
        return range(start * width, int(np.prod(self.shape)), height * width)


def read_rows(array: Any, rows: slice) -> npt.NDArray[Any]:
    """Rows of an array …×H×W or of a field, as a new array. See `read_part`."""
    return read_part(array, (..., rows, slice(None)))


def read_part(array: Any, part: Any) -> npt.NDArray[Any]:
    """array[part] as a new array. A map of a file stays out of memory: otherwise every page read would remain there."""
    copy = np.array(array[part])
    origin = array
    while isinstance(origin, np.ndarray):
        origin = origin.base
    if isinstance(origin, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        origin.madvise(mmap.MADV_DONTNEED)  # the system keeps the pages in its own cache
    return copy
