"""Large arrays in Datasets stay lazy; small ones are plain arrays."""

import gc

import dask.array
import numpy as np

from nephoscope.earth.grid import Grid
from nephoscope.earth.windows.fields import make_field
from nephoscope.earth.windows.plan import plan_windows
from nephoscope.earth.windows.row_store import RowStore
from nephoscope.earth.writing.blocks import to_lazy


def test_an_array_on_disk_is_read_by_rows() -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 700, 90)).astype(np.uint8)
    store = RowStore(values.shape, np.uint8, in_memory=False)
    store.write(0, values)
    array = store.finish()
    lazy, part = to_lazy(array), to_lazy(array[1:, 100:400])
    del store, array
    gc.collect()  # the lazy array keeps the file
    assert isinstance(lazy, dask.array.Array)
    assert lazy.chunks == ((1, 1, 1), (256, 256, 188), (90,))
    assert (lazy.compute() == values).all()
    assert (part[0, 7:9].compute() == values[1, 107:109]).all()


def test_only_large_fields_are_lazy() -> None:
    for degrees, kind in ((28, np.ndarray), (200, dask.array.Array)):
        plan = plan_windows(Grid.from_bounds((0, -40, degrees, 40), (800, 10 * degrees)), (14, 21), (350, 525))
        values = np.random.default_rng(0).random((2, len(plan.rows.starts), len(plan.columns.starts)))
        field = make_field(values, plan)
        lazy = to_lazy(field)
        assert isinstance(lazy, kind)
        assert lazy.shape == field.shape
        assert (np.asarray(lazy[1, 1000:1003]) == field[1, 1000:1003]).all()


def test_arrays_in_memory_stay_as_they_are() -> None:
    array = np.zeros((2, 3, 4))
    assert to_lazy(array) is array
