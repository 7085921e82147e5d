"""Arrays by rows, in memory and in a file."""

import gc
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from nephoscope.earth.windows.row_store import IN_MEMORY, RowStore, read_rows
from nephoscope.errors import UserError


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(("shape", "dtype"), [((3, 20, 7), np.uint8), ((20, 7), np.bool_)])
def test_what_was_written_is_read(in_memory: bool, shape: tuple[int, ...], dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    store = RowStore(shape, dtype, in_memory=in_memory)
    for start in (12, 0, 5):
        store.write(start, values[..., start : start + 7, :])
    assert (store.read(3, 11) == values[..., 3:11, :]).all()
    store.write(4, values[..., 9:11, :])
    array = store.finish()
    assert array.dtype == dtype
    assert (array[..., 4:6, :] == values[..., 9:11, :]).all()
    assert (array[..., 6:19, :] == values[..., 6:19, :]).all()
    assert not array[..., 19, :].any()  # never written
    assert (read_rows(array, slice(6, 9)) == values[..., 6:9, :]).all()


def test_large_arrays_lie_in_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = RowStore((2, IN_MEMORY // 1000, 1001), np.uint8)
    store.write(0, np.ones((2, 1, 1001), np.uint8))
    array = store.finish()
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable
    assert list(tmp_path.iterdir()) == []
    view = array[0, :2]
    del store, array
    gc.collect()
    assert view.sum() == 1001  # a part keeps the file alive
    assert not isinstance(RowStore((2, IN_MEMORY // 1000, 1000), np.uint8).finish(), np.memmap)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_rows_of_a_file_are_read_without_filling_memory() -> None:
    store = RowStore((4000, 10_000), np.uint8)
    for start in range(0, 4000, 100):
        store.write(start, np.full((100, 10_000), 7, np.uint8))
    array = store.finish()
    before = resident_bytes()
    total = sum(int(read_rows(array, slice(start, start + 100)).sum()) for start in range(0, 4000, 100))
    assert total == 7 * 40_000_000
    assert resident_bytes() - before < 20_000_000  # the whole array has twice as much


def test_a_full_disk_is_reported_with_the_way_out() -> None:
    store = RowStore((2, 8, 8), np.uint8, in_memory=False)
    store._file.close()
    with Path("/dev/full").open("w+b", buffering=0) as full:
        store._file = full
        with pytest.raises(UserError, match=r"No space left on device; .* set TMPDIR to a folder with more space"):
            store.write(0, np.ones((2, 8, 8), np.uint8))
