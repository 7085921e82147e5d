"""Fields: numbers of windows, blended into a number around every cell. They are computed on access, never stored."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.windows.plan import Plan

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Field:
    """Like an array C×H×W of float32: it has a shape, can be indexed by integers and slices, and becomes an array.

    NaN where no window says anything.

    >>> field = Field(np.full((2, 1, 1), 0.5), np.ones((3, 1)), np.ones((4, 1)))
    >>> np.asarray(field[0]).shape, field[:, 1:3].shape
    ((3, 4), (2, 2, 4))
    """

    values: Numbers
    """C × rows × columns of windows; NaN for a window that says nothing."""
    row_weights: Numbers
    """H × rows of windows."""
    column_weights: Numbers
    """W × columns of windows."""
    dtype = np.dtype(np.float32)
    ndim = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.values), len(self.row_weights), len(self.column_weights)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<Field {'×'.join(map(str, self.shape))} of {self.values.shape[1]}×{self.values.shape[2]} windows>"

    def __getitem__(self, key: Any) -> Any:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            place = keys.index(Ellipsis)
            keys[place : place + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        if len(keys) > self.ndim or not all(isinstance(part, slice | int | np.integer) for part in keys):
            raise IndexError(f"a field has {self.ndim} axes and takes integers and slices; convert it with np.asarray")
        # An integer becomes a part of length 1, and its axis is dropped afterwards.
        parts = [part if isinstance(part, slice) else [part] for part in keys]
        blended = _blend(self.values[parts[0]], self.row_weights[parts[1]], self.column_weights[parts[2]])
        return blended.astype(np.float32)[tuple(slice(None) if isinstance(part, slice) else 0 for part in keys)]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a field is computed; it cannot become an array without a copy")
        return np.asarray(self[:], dtype)

    def rows(self, rows: slice) -> Numbers:
        """C×h×W in double precision, for decisions."""
        return _blend(self.values, self.row_weights[rows], self.column_weights)


def make_field(values: Numbers, plan: Plan) -> Field:
    """A number of every window (C × rows × columns of windows) → its field at the output shape."""
    return Field(values, plan.rows.weights, plan.columns.weights)


def _blend(values: Numbers, row_weights: Numbers, column_weights: Numbers) -> Numbers:
    """Weighted means over the windows that say something: C×h×w."""
    speaks = np.isfinite(values)
    sums, totals = (
        row_weights @ numbers @ column_weights.T for numbers in (np.where(speaks, values, 0.0), speaks.astype(float))
    )
    return np.asarray(np.divide(sums, totals, out=np.full(sums.shape, np.nan), where=totals > 0))
