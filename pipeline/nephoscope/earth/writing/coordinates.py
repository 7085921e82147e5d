"""Coordinates of a Dataset after the CF conventions: cell centres, their bounds, time, patterns and the CRS."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import Grid
from nephoscope.earth.scene import Place
from nephoscope.masks.rle import Shape

if TYPE_CHECKING:
    import xarray as xr

CRS_NAME = "spatial_ref"
"""The variable with the coordinate reference system, under the name that rioxarray looks for."""
COMPLETE = {"_FillValue": None}
"""Encoding of coordinates: CF allows no missing values there."""
TIME_ENCODING = COMPLETE | {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard", "dtype": "float64"}


def pattern_coordinate(classes: Sequence[str]) -> "xr.Variable":
    from xarray import Variable

    return Variable("pattern", np.array(classes), {"long_name": "pattern of clouds"})


def pixel_coordinates(shape: Shape) -> "dict[str, xr.Variable]":
    """For an image without a place: numbers of rows and columns, from the top left."""
    from xarray import Variable

    names = {"y": "row, from the top", "x": "column, from the left"}
    return {
        axis: Variable(axis, np.arange(size, dtype=np.int32), {"long_name": name, "units": "1"})
        for (axis, name), size in zip(names.items(), shape, strict=True)
    }


def earth_coordinates(place: Place) -> "dict[str, xr.Variable]":
    """Latitude (descending) and longitude with bounds, the CRS, and the time if it is known."""
    from xarray import Variable

    grid = place.grid
    coordinates = {
        "latitude": Variable("latitude", grid.latitude, _axis("latitude", "degrees_north", "Y"), {"_FillValue": None}),
        "longitude": Variable(
            "longitude", grid.longitude, _axis("longitude", "degrees_east", "X"), {"_FillValue": None}
        ),
        "latitude_bnds": Variable(("latitude", "bnds"), _edges(grid, 0), {}, {"_FillValue": None}),
        "longitude_bnds": Variable(("longitude", "bnds"), _edges(grid, 1), {}, {"_FillValue": None}),
        CRS_NAME: Variable((), np.int32(0), crs_attributes(grid)),
    }
    if place.time is not None:
        attributes = {"standard_name": "time", "long_name": "time of the image", "axis": "T"}
        time = np.array([place.time], "datetime64[ns]")
        coordinates["time"] = Variable("time", time, attributes, TIME_ENCODING)
    return coordinates


def _axis(name: str, units: str, axis: str) -> dict[str, str]:
    return {
        "standard_name": name,
        "long_name": name,
        "units": units,
        "axis": axis,
        "bounds": f"{name}_bnds",
    }


def _edges(grid: Grid, axis: int) -> npt.NDArray[np.float64]:
    """N×2: the edges of every row or column, in the direction of the coordinate."""
    _, _, west, _, _, north = grid.transform
    height, width = grid.cell_size
    count = np.arange(grid.shape[axis] + 1)
    edges = np.round(west + width * count if axis else north - height * count, 9)
    return np.stack([edges[:-1], edges[1:]], 1)


def crs_attributes(grid: Grid) -> dict[str, Any]:
    """The grid mapping as CF, GDAL and rioxarray read it."""
    from rasterio.crs import CRS

    text = CRS.from_user_input(grid.crs).to_wkt(version="WKT2_2019")
    a, b, c, d, e, f = grid.transform
    return {
        "grid_mapping_name": "latitude_longitude",
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
        "longitude_of_prime_meridian": 0.0,
        "crs_wkt": text,
        CRS_NAME: text,
        "GeoTransform": " ".join(format(number, ".15g") for number in (c, a, b, f, d, e)),
    }
