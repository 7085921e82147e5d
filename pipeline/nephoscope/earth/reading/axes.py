"""The axes of an array: which dimension is which, and the grid that its coordinates describe."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import GEOGRAPHIC, Grid, Transform
from nephoscope.earth.reading.reference_systems import name_crs, satellite_height
from nephoscope.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

Y_NAMES = ("y", "lat", "latitude", "lats", "yc", "row", "rows")
X_NAMES = ("x", "lon", "longitude", "lons", "lng", "long", "xc", "column", "columns", "col", "cols")
DEGREE_NAMES = ("lat", "latitude", "lats", "lon", "longitude", "lons", "lng", "long")
BAND_NAMES = ("band", "bands", "channel", "channels", "rgb", "rgba", "colour", "color", "wavelength", "bands_dim")
TIME_NAMES = ("time", "t", "date", "valid_time", "datetime")
REGULAR = 0.05
"""How far a coordinate may be from its place on a regular axis, in cells."""
RADIANS = ("rad", "radian", "radians")
FACTORS = {"km": 1000.0, "kilometre": 1000.0, "kilometer": 1000.0}
WAY_OUT = "add coordinates with .assign_coords(latitude=…, longitude=…), or state the bounds (--bounds W,S,E,N)"


class Axes(NamedTuple):
    """Names of dimensions."""

    y: str
    x: str
    band: str | None
    time: str | None


def find_axes(array: "xr.DataArray", source: str) -> Axes:
    """By the attributes of CF, then by name. What is left may be the band."""
    rest = [str(dim) for dim in array.dims]
    y = _find(array, rest, Y_NAMES, ("latitude", "projection_y_coordinate", "grid_latitude"), "Y")
    x = _find(array, rest, X_NAMES, ("longitude", "projection_x_coordinate", "grid_longitude"), "X")
    if y is None or x is None:
        raise UserError(
            f"{source}: dimensions {', '.join(rest) or 'none'}; expected latitude and longitude, or y and x, and a "
            "band dimension; rename them with .rename({…})"
        )
    rest = [dim for dim in rest if dim not in (y, x)]
    time = _find(array, rest, TIME_NAMES, ("time",), "T")
    time = time or next((dim for dim in rest if dim in array.coords and array[dim].dtype.kind == "M"), None)
    rest = [dim for dim in rest if dim != time]
    band = next((dim for dim in rest if dim.lower() in BAND_NAMES), None)
    rest = [dim for dim in rest if dim != band]
    if band is None:
        band = next((dim for dim in rest if array.sizes[dim] > 1), None)
    extra = [dim for dim in rest if dim != band and array.sizes[dim] > 1]
    if extra:
        raise UserError(
            f"{source}: dimensions {', '.join(extra)} besides {y}, {x} and {band}; select one entry, such as "
            f".isel({extra[0]}=0)"
        )
    return Axes(y, x, band, time)


def _find(
    array: "xr.DataArray", dims: list[str], names: tuple[str, ...], standard: tuple[str, ...], axis: str
) -> str | None:
    for dim in dims:
        attributes = array[dim].attrs if dim in array.coords else {}
        if attributes.get("standard_name") in standard or str(attributes.get("axis", "")).upper() == axis:
            return dim
    return next((dim for dim in dims if dim.lower() in names), None)


def grid_of(array: "xr.DataArray", axes: Axes, source: str) -> Grid | None:
    """The grid of the array as it is stored: rows and columns may run either way. None if it has no coordinates."""
    shape = (int(array.sizes[axes.y]), int(array.sizes[axes.x]))
    crs = _crs(array, axes, source)
    if axes.y in array.coords and axes.x in array.coords:
        return Grid(crs or _degrees(array, axes, source), _transform(array, axes, crs, source), shape)
    mesh = _mesh(array, axes)
    if mesh is not None:
        return Grid(crs or _degrees(array, axes, source), _affine(*mesh, source), shape)
    return None


def _degrees(array: "xr.DataArray", axes: Axes, source: str) -> str:
    """EPSG:4326 where names or units say that coordinates are degrees."""
    for dim in (axes.y, axes.x):
        attributes = array[dim].attrs if dim in array.coords else {}
        stated = str(attributes.get("units", "")).lower().startswith("degree")
        if not (dim.lower() in DEGREE_NAMES or stated or (dim not in array.coords and _mesh(array, axes))):
            raise UserError(
                f"{source}: coordinates {axes.y} and {axes.x} without a coordinate reference system; assign it with "
                ".rio.write_crs('EPSG:…'), or name them latitude and longitude if they are degrees"
            )
    return GEOGRAPHIC


def _crs(array: "xr.DataArray", axes: Axes, source: str) -> str | None:
    if axes.y.lower() in DEGREE_NAMES and axes.x.lower() in DEGREE_NAMES:
        return GEOGRAPHIC
    # satpy keeps the area of pyresample, and its CRS as a coordinate
    crs: Any = getattr(array.attrs.get("area"), "crs", None)
    if hasattr(crs, "to_wkt"):
        return name_crs(crs, source)
    if "crs" in array.coords and array["crs"].ndim == 0 and hasattr(array["crs"].item(), "to_wkt"):
        return name_crs(array["crs"].item(), source)
    import rioxarray  # noqa: F401  (adds .rio)

    try:
        crs = array.rio.crs
    except Exception as error:  # rasterio, pyproj and rioxarray have their own errors
        raise UserError(
            f"{source}: its coordinate reference system cannot be read ({str(error)[:200]}); assign it with "
            ".rio.write_crs"
        ) from None
    return name_crs(crs, source) if crs else None


def _transform(array: "xr.DataArray", axes: Axes, crs: str | None, source: str) -> Transform:
    x = regular_axis(_values(array, axes.x, crs, source), axes.x, source, around=crs in (None, GEOGRAPHIC))
    y = regular_axis(_values(array, axes.y, crs, source), axes.y, source)
    return (x[1], 0.0, x[0], 0.0, y[1], y[0])


def _values(array: "xr.DataArray", dim: str, crs: str | None, source: str) -> npt.NDArray[Any]:
    """Coordinates in degrees or metres. Geostationary coordinates may be angles, in radians."""
    values, units = array[dim].to_numpy(), str(array[dim].attrs.get("units", "")).lower()
    if values.dtype.kind not in "iuf":
        raise UserError(f"{source}: coordinate {dim} has type {values.dtype}; expected numbers")
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    if crs in (None, GEOGRAPHIC):
        return values
    if units in RADIANS:
        return values.astype(np.float64) * satellite_height(crs)
    return values * FACTORS[units] if units in FACTORS else values


def regular_axis(values: npt.NDArray[Any], name: str, source: str, around: bool = False) -> tuple[float, float]:
    """Centres of cells → (outer edge before the first cell, step).

    With `around`, longitudes may jump by 360°.

    >>> regular_axis(np.array([9.5, 8.5, 7.5]), "latitude", "array")
    (10.0, -1.0)
    """
    if len(values) < 2:
        raise UserError(f"{source}: {len(values)} value along {name}; expected at least 2, to know the size of a pixel")
    centres = values.astype(np.float64)
    if not np.isfinite(centres).all():
        raise UserError(
            f"{source}: {int((~np.isfinite(centres)).sum())} coordinates of {name} are missing (NaN); {WAY_OUT}"
        )
    if around:
        centres = _unwrap(centres)
    step = (centres[-1] - centres[0]) / (len(centres) - 1)
    even = centres[0] + step * np.arange(len(centres))
    if step == 0 or np.abs(centres - even).max() > REGULAR * abs(step):
        raise UserError(
            f"{source}: coordinates of {name} are not evenly spaced; expected a regular grid; interpolate onto one, "
            f"such as .interp({name}=numpy.linspace({centres.min():g}, {centres.max():g}, {len(centres)}))"
        )
    first, last = centres[0] - step / 2, centres[-1] + step / 2
    if values.dtype == np.float32:
        first, last = _rounded(first, last, values)
    return float(first), float((last - first) / len(centres))


def _unwrap(longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """179.5, -179.5 → 179.5, 180.5: one jump at the antimeridian, or at Greenwich."""
    jumps = np.flatnonzero(np.abs(np.diff(longitude)) > 180)
    if len(jumps) != 1:
        return longitude
    continued = longitude.copy()
    before, after = longitude[jumps[0]], longitude[jumps[0] + 1]
    continued[jumps[0] + 1 :] += 360 if after < before else -360
    return continued


def _rounded(first: float, last: float, values: npt.NDArray[Any]) -> tuple[float, float]:
    """Edges with as few decimals as 32-bit coordinates allow: -60.999996 → -61."""
    precision = 4 * float(np.finfo(np.float32).eps) * float(np.abs(values).max())
    for decimals in range(8):
        rounded = round(first, decimals), round(last, decimals)
        if abs(rounded[0] - first) <= precision and abs(rounded[1] - last) <= precision:
            return rounded
    return first, last


def _mesh(array: "xr.DataArray", axes: Axes) -> "tuple[xr.DataArray, xr.DataArray] | None":
    """Two-dimensional coordinates (x, y), as rotated grids have them."""
    for x_name, y_name in (("xc", "yc"), ("longitude", "latitude"), ("lon", "lat")):
        if x_name in array.coords and y_name in array.coords:
            x, y = array[x_name], array[y_name]
            if set(x.dims) == set(y.dims) == {axes.y, axes.x}:
                return x.transpose(axes.y, axes.x), y.transpose(axes.y, axes.x)
    return None


def _affine(x: "xr.DataArray", y: "xr.DataArray", source: str) -> Transform:
    """Two-dimensional coordinates of centres → transform; refused where rows or columns are bent."""
    height, width = x.shape
    if min(height, width) < 2:
        raise UserError(
            f"{source}: {height}×{width} pixels; expected at least 2 along a side, to know the size of a pixel"
        )
    rows = np.unique(np.linspace(0, height - 1, 5).astype(int))
    columns = np.unique(np.linspace(0, width - 1, 5).astype(int))
    edges: list[tuple[float, float, float]] = []
    for mesh in (x, y):
        values = np.asarray(mesh[rows, columns].to_numpy(), np.float64)
        along, down = (values[0, -1] - values[0, 0]) / (width - 1), (values[-1, 0] - values[0, 0]) / (height - 1)
        plane = values[0, 0] + along * columns + down * rows[:, None]
        if not np.abs(values - plane).max() <= REGULAR * np.hypot(along, down):
            raise UserError(
                f"{source}: its two-dimensional coordinates follow no regular grid, as in a swath; resample it first, "
                "such as with satpy's Scene.resample or pyresample"
            )
        edges.append((float(along), float(down), float(values[0, 0] - (along + down) / 2)))
    (a, b, c), (d, e, f) = edges
    if a * e - b * d == 0:
        raise UserError(f"{source}: its two-dimensional coordinates lie on a line; expected a grid")
    return a, b, c, d, e, f
