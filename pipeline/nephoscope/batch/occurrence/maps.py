"""Maps of patterns in files: CF NetCDF and Zarr, read in bands of rows."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nephoscope.batch.occurrence.boxes import BoxTable
from nephoscope.batch.occurrence.cells import Axes, Floats
from nephoscope.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

Quantity = Literal["masks", "presence"]
VARIABLES: dict[Quantity, tuple[str, ...]] = {"masks": ("mask", "freq"), "presence": ("presence",)}
"""Names of the variable, in the order of preference; `freq` is that of C3ONTEXT."""
DIMS = {
    "time": ("time", "date"),
    "pattern": ("pattern", "class", "classes"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
}
"""Names that dimensions may have."""
SYNONYMS = {"Flowers": "Flower"}
NETCDF, ZARR, TABLES = (".nc", ".nc4", ".cdf"), (".zarr",), (".csv",)
OPEN_FILES = 8
"""Kept open at a time: files of several satellites alternate."""


class Maps(Protocol):
    """Maps of one file, all on the same axes."""

    @property
    def name(self) -> str: ...
    @property
    def patterns(self) -> tuple[str, ...]: ...
    @property
    def axes(self) -> Axes: ...
    @property
    def times(self) -> Sequence[np.datetime64]:
        """UTC, one per map, in any order."""

    @property
    def has_land(self) -> bool: ...
    @property
    def attributes(self) -> dict[str, str]: ...
    def read(self, number: int, rows: slice) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
        """A map → values (C×h×W, NaN where nothing was seen) and land (h×W), or None if the file has no land."""


def find_maps(given: Sequence[str], quantity: Quantity) -> list[Maps]:
    """Files, folders or patterns → the maps of every file, in the order of names."""
    paths = sorted({path for text in given for path in _expand(text)})
    return [BoxTable.read_csv(path) if path.suffix in TABLES else MapFile.open(path, quantity) for path in paths]


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir() and not _is_zarr(path):
        paths = [entry for entry in path.iterdir() if _is_map(entry)]
    elif path.exists():
        paths = [path]
    else:
        matches = map(Path, glob(text, recursive=True) if has_magic(text) else ())  # noqa: PTH207  (absolute patterns)
        paths = [match for match in matches if _is_map(match)]
    if not paths:
        raise UserError(
            f"{text}: no maps found; expected NetCDF files ({', '.join(NETCDF)}), Zarr stores, a table of boxes "
            "(.csv), a folder of them, or a pattern. `nephoscope predict --write netcdf` makes such files"
        )
    return paths


def _is_map(path: Path) -> bool:
    return not path.name.startswith(".") and (path.suffix in NETCDF or _is_zarr(path))


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and (path.suffix in ZARR or any((path / name).exists() for name in (".zgroup", "zarr.json")))


@lru_cache(OPEN_FILES)
def _open(path: Path) -> "xr.Dataset":
    import xarray as xr

    try:
        if _is_zarr(path):
            with warnings.catch_warnings():  # about stores without consolidated metadata, which are merely slower
                warnings.simplefilter("ignore", RuntimeWarning)
                return xr.open_dataset(path, engine="zarr", chunks=None, cache=False)
        return xr.open_dataset(path, engine="netcdf4", cache=False)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read as {'Zarr' if path.is_dir() else 'NetCDF'}: {error}") from None


@dataclass(frozen=True)
class MapFile:
    """A NetCDF file or a Zarr store with a variable over time, pattern, latitude and longitude, in any order."""

    path: Path
    variable: str
    dims: dict[str, str]
    """Our name of a dimension → the file's."""
    patterns: tuple[str, ...]
    axes: Axes
    times: tuple[np.datetime64, ...]
    is_reversed: tuple[bool, bool]
    """Whether latitudes rise, and longitudes fall, in the file."""
    has_land: bool
    attributes: dict[str, str]

    @property
    def name(self) -> str:
        return str(self.path)

    @classmethod
    def open(cls, path: Path, quantity: Quantity) -> "MapFile":
        dataset = _open(path)
        name = next((name for name in VARIABLES[quantity] if name in dataset.data_vars), None)
        if name is None:
            expected = " or ".join(VARIABLES[quantity])
            raise UserError(f"{path}: no variable {expected}; found {', '.join(map(str, dataset.data_vars)) or 'none'}")
        dims = _name_dims(path, dataset, name)
        latitude, longitude = (_edges(path, dataset, dims[axis]) for axis in ("latitude", "longitude"))
        edges = [np.sort(pairs[np.argsort(pairs.mean(1))], 1) for pairs in (latitude, longitude)]
        return cls(
            path, name, dims,
            patterns=tuple(SYNONYMS.get(str(text), str(text)) for text in dataset[dims["pattern"]].values),
            axes=Axes(edges[0][::-1], edges[1]),
            times=_read_times(path, dataset, dims["time"]),
            is_reversed=(bool(latitude[0, 0] < latitude[-1, 0]), bool(longitude[0, 0] > longitude[-1, 0])),
            has_land="land" in dataset.data_vars,
            attributes={str(key): str(value) for key, value in dataset.attrs.items()},
        )  # fmt: skip

    def read(self, number: int, rows: slice) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
        dataset = _open(self.path)
        values = self._band(dataset[self.variable], number, rows, ("pattern",)).astype(np.float32)
        if "visible" in dataset.data_vars:
            seen = self._band(dataset["visible"], number, rows)
            values[:, ~(seen > 0)] = np.nan
        land = self._band(dataset["land"], number, rows) > 0 if self.has_land else None
        return values, land

    def _band(
        self, variable: "xr.DataArray", number: int, rows: slice, leading: tuple[str, ...] = ()
    ) -> npt.NDArray[Any]:
        """Rows of our axes (north to south, west to east) of one map."""
        height = len(self.axes.latitude)
        selected: dict[str, Any] = {self.dims["latitude"]: _flip(rows, height) if self.is_reversed[0] else rows}
        if self.dims["time"] in variable.dims:
            selected[self.dims["time"]] = number
        order = [self.dims[axis] for axis in (*leading, "latitude", "longitude")]
        band = variable.isel(selected).load().transpose(*order).values
        vertical, horizontal = (slice(None, None, -1 if flip else 1) for flip in self.is_reversed)
        return np.array(band[..., vertical, horizontal])


def _name_dims(path: Path, dataset: "xr.Dataset", name: str) -> dict[str, str]:
    present = set(map(str, dataset[name].dims))
    dims = {axis: next((known for known in names if known in present), "") for axis, names in DIMS.items()}
    if "" in dims.values() or len(present) > len(dims):
        missing = ", ".join(axis for axis, known in dims.items() if not known)
        raise UserError(
            f"{path}: {name} has the dimensions {', '.join(map(str, dataset[name].dims))}; expected time, pattern, "
            f"latitude and longitude{f' (missing: {missing})' if missing else ''}. "
            "Predict images whose place and time are known, for example by their names, and leave this file out"
        )
    return dims


def _edges(path: Path, dataset: "xr.Dataset", dim: str) -> Floats:
    """N×2: from the bounds that the coordinate names, or else halfway between the centres."""
    coordinate = dataset[dim]
    bounds = dataset.variables.get(coordinate.attrs.get("bounds") or coordinate.encoding.get("bounds", ""))
    if bounds is not None:
        return np.asarray(bounds.values, float)
    centres = np.asarray(coordinate.values, float)
    steps = np.diff(centres)
    if not len(steps) or not (np.isfinite(centres).all() and ((steps > 0).all() or (steps < 0).all())):
        raise UserError(f"{path}: {dim} has no bounds, and its {len(centres)} centres do not give the edges of cells")
    middle = centres[:-1] + steps / 2
    edges = np.concatenate([[centres[0] - steps[0] / 2], middle, [centres[-1] + steps[-1] / 2]])
    return np.stack([edges[:-1], edges[1:]], 1)


def _read_times(path: Path, dataset: "xr.Dataset", dim: str) -> tuple[np.datetime64, ...]:
    values = dataset[dim].values
    if not np.issubdtype(values.dtype, np.datetime64) or np.isnat(values).any():
        raise UserError(f"{path}: {dim} holds no times; expected CF times such as `days since 1970-01-01`")
    return tuple(values.astype("datetime64[s]"))


def _flip(rows: slice, count: int) -> slice:
    return slice(count - rows.stop, count - rows.start)
