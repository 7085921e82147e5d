"""Coordinate reference systems: reading them, naming them, and going to longitude and latitude."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import GEOGRAPHIC
from nephoscope.errors import UserError

if TYPE_CHECKING:
    from pyproj import CRS

Coordinates = npt.NDArray[np.float64]


def name_crs(crs: Any, source: str) -> str:
    """A CRS in any form (rasterio, pyproj, WKT, "EPSG:32618") → "EPSG:4326" if it is longitude and latitude in
    degrees, otherwise an authority code, or WKT where there is no code.

    Other datums than WGS 84 differ by less than the pixels of a weather satellite, so they count as EPSG:4326.
    """
    parsed = _parse(crs, source)
    if parsed.is_geographic:
        axis, meridian = parsed.axis_info[0], parsed.prime_meridian
        if axis.unit_name != "degree" or (meridian is not None and meridian.longitude != 0):
            raise UserError(
                f"{source}: its longitudes are in {axis.unit_name}, from {meridian.name if meridian else 'unknown'}; "
                "expected degrees from Greenwich; convert it with gdalwarp -t_srs EPSG:4326"
            )
        return GEOGRAPHIC
    if not parsed.is_projected:
        raise UserError(
            f"{source}: its coordinate reference system {parsed.name!r} has no place on Earth; expected longitude and "
            "latitude, or a map projection; assign the right one with gdal_edit.py -a_srs"
        )
    authority = parsed.to_authority(min_confidence=100)
    return ":".join(authority) if authority else str(parsed.to_wkt())


def _parse(crs: Any, source: str) -> "CRS":
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        text = crs.to_wkt() if hasattr(crs, "to_wkt") else crs
        parsed = _horizontal(CRS.from_user_input(text))
    except (CRSError, AttributeError, TypeError) as error:
        raise UserError(
            f"{source}: its coordinate reference system is not known ({str(error)[:200]}); assign one, with "
            "gdal_edit.py -a_srs for a file or .rio.write_crs for an array"
        ) from None
    return parsed


def _horizontal(crs: "CRS") -> "CRS":
    """Without heights, and without a shift to another datum."""
    if crs.is_bound and crs.source_crs is not None:
        return _horizontal(crs.source_crs)
    return _horizontal(crs.sub_crs_list[0]) if crs.is_compound else crs


def satellite_height(crs: str) -> float:
    """Metres above the ground for a geostationary projection, whose coordinates may be angles; 1 for others."""
    from pyproj import CRS

    operation = CRS.from_user_input(crs).coordinate_operation
    parameters = operation.params if operation else []
    return next((float(parameter.value) for parameter in parameters if "height" in parameter.name.lower()), 1.0)


@lru_cache(maxsize=32)
def _transformer(crs: str, inverse: bool) -> Any:
    from pyproj import Transformer

    ends = (GEOGRAPHIC, crs) if inverse else (crs, GEOGRAPHIC)
    return Transformer.from_crs(*ends, always_xy=True)


def to_degrees(crs: str, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Coordinates → longitude and latitude. NaN where a point is not on Earth, or outside the projection."""
    if crs == GEOGRAPHIC:
        return x, y
    longitude, latitude = _transformer(crs, False).transform(x, y)
    back = from_degrees(crs, longitude, latitude)
    # Some projections give numbers for points outside their domain. These do not come back.
    lost = np.hypot(back[0] - x, back[1] - y) > 1e-3 * (1 + np.hypot(x, y))
    lost |= ~np.isfinite(longitude) | ~np.isfinite(latitude)
    return np.where(lost, np.nan, longitude), np.where(lost, np.nan, latitude)


def from_degrees(crs: str, longitude: Coordinates, latitude: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Longitude and latitude → coordinates. Not finite where the projection does not show a point."""
    if crs == GEOGRAPHIC:
        return longitude, latitude
    x, y = _transformer(crs, True).transform(longitude, latitude)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)
