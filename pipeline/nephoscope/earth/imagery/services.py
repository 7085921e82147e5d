"""The services, the satellites, and the address of a picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args
from urllib.parse import urlencode, urlsplit

from nephoscope.earth.grid import GEOGRAPHIC, Bounds
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

ServiceName = Literal["snapshots", "gibs"]
MAX_SIDE = 8200
"""Pixels. Worldview Snapshots accepts no larger request; the same limit is kept for GIBS."""
DECIMALS = 4
"""Of degrees, in file names and requests: 11 m."""
JPEG = "image/jpeg"


@dataclass(frozen=True)
class Satellite:
    sensor: str
    """As results name it."""
    file_prefix: str
    """How the names of its pictures begin."""
    layer: str
    launched: date


SATELLITES: Mapping[str, Satellite] = {
    "aqua": Satellite("MODIS Aqua", "Aqua", "MODIS_Aqua_CorrectedReflectance_TrueColor", date(2002, 5, 4)),
    "terra": Satellite("MODIS Terra", "Terra", "MODIS_Terra_CorrectedReflectance_TrueColor", date(1999, 12, 18)),
    "snpp": Satellite("VIIRS SNPP", "SNPP", "VIIRS_SNPP_CorrectedReflectance_TrueColor", date(2011, 10, 28)),
    "noaa20": Satellite("VIIRS NOAA-20", "NOAA20", "VIIRS_NOAA20_CorrectedReflectance_TrueColor", date(2017, 11, 18)),
    "noaa21": Satellite("VIIRS NOAA-21", "NOAA21", "VIIRS_NOAA21_CorrectedReflectance_TrueColor", date(2022, 11, 10)),
}


@dataclass(frozen=True)
class Service:
    """A service, or a mirror that speaks its interface."""

    name: ServiceName
    address: str

    def url(self, layer: str, day: date, bounds: Bounds, shape: Shape) -> str:
        """The address of the picture of a layer, a day (UTC), a box in degrees and a shape (height, width)."""
        west, south, east, north = bounds
        height, width = shape
        place = {
            # Both interfaces define the axes of EPSG:4326 as latitude, longitude.
            "BBOX": ",".join(format_degrees(value) for value in (south, west, north, east)),
            "CRS": GEOGRAPHIC,
            "LAYERS": layer,
            "FORMAT": JPEG,
            "WIDTH": str(width),
            "HEIGHT": str(height),
            "TIME": day.isoformat(),
        }
        query = urlencode({**REQUESTS[self.name], **place}, safe=",:/")
        return f"{self.address}{'&' if '?' in self.address else '?'}{query}"


ADDRESSES: Mapping[ServiceName, str] = {
    "snapshots": "https://wvs.earthdata.nasa.gov/api/v1/snapshot",
    "gibs": "https://gibs.earthdata.nasa.gov/wms/epsg4326/best/wms.cgi",
}
REQUESTS: Mapping[ServiceName, Mapping[str, str]] = {
    "snapshots": {"REQUEST": "GetSnapshot"},
    "gibs": {"SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetMap", "STYLES": ""},
}


def choose_service(name: str, address: str | None = None) -> Service:
    """`address`: that of a mirror; None for NASA's own."""
    if name not in get_args(ServiceName):
        raise UserError(f"unknown service {name!r}; choose one of {', '.join(get_args(ServiceName))}")
    chosen: ServiceName = "gibs" if name == "gibs" else "snapshots"
    service = Service(chosen, (address or ADDRESSES[chosen]).rstrip("?&"))
    parts = urlsplit(service.address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
        raise UserError(f"{service.address!r} is no address of a service; expected http://… or https://…")
    return service


def choose_satellites(names: Iterable[str]) -> Sequence[Satellite]:
    """Names → satellites, each once.

    >>> [satellite.sensor for satellite in choose_satellites(["Aqua", "noaa-20"])]
    ['MODIS Aqua', 'VIIRS NOAA-20']
    """
    chosen: dict[str, Satellite] = {}
    for name in names:
        key = name.strip().lower().replace("-", "").replace("_", "")
        if key not in SATELLITES:
            raise UserError(f"unknown satellite {name!r}; choose any of {', '.join(SATELLITES)}")
        chosen[key] = SATELLITES[key]
    if not chosen:
        raise UserError(f"no satellite is given; choose any of {', '.join(SATELLITES)}")
    return tuple(chosen.values())


def format_degrees(value: float) -> str:
    """At most four decimals, none where they are zero.

    >>> format_degrees(-61.0), format_degrees(10.25)
    ('-61', '10.25')
    """
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
