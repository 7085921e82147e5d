"""What names and attributes say: bounds, time and sensor."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nephoscope.earth.grid import Bounds
from nephoscope.errors import UserError

NUMBER = r"(-?\d+(?:\.\d+)?)"
PLACED = re.compile(
    rf"(?<!\d)(\d{{4}})-?(\d{{2}})-?(\d{{2}})(?:T(\d{{2}})(\d{{2}}))?_{NUMBER}-{NUMBER}_{NUMBER}-{NUMBER}(?![\d])"
)
"""Date, west-east, south-north, as in Aqua_CorrectedReflectance20071227_-61--40_10-24.jpeg."""
DATE = re.compile(r"(?<!\d)(\d{4})([-_]?)(\d{2})\2(\d{2})(?:[T_ .]?(\d{2})[:_]?(\d{2}))?(?!\d)")
"""20080120, 2008-01-20, 2008-01-20T13:30, 20080120T1330, as in the names of most downloads."""
DAY_OF_YEAR = re.compile(r"\.A(\d{4})(\d{3})(?:\.(\d{2})(\d{2}))?(?!\d)")
"""As in MYD021KM.A2008020.1645.061.hdf."""
SENSORS = (
    (r"snpp|s-?npp|suomi|VNP\d", "VIIRS SNPP"),
    (r"noaa[-_ ]?20|J01|jpss-?1|VJ1\d", "VIIRS NOAA-20"),
    (r"noaa[-_ ]?21|J02|jpss-?2|VJ2\d", "VIIRS NOAA-21"),
    (r"aqua|MYD\d", "MODIS Aqua"),
    (r"terra|MOD\d", "MODIS Terra"),
    (r"goes[-_ ]?(?:east|16|r)|G16", "ABI GOES-16"),
    (r"goes[-_ ]?(?:west|17|18|19)|G1[789]", "ABI GOES"),
    (r"himawari|ahi", "AHI Himawari"),
    (r"seviri|meteosat|msg\d", "SEVIRI Meteosat"),
)  # fmt: skip
SENSOR_KEYS = ("platform_name", "platform", "platform_id", "satellite", "sensor", "instrument", "layers", "layer",
               "source", "title", "dataset_name")  # fmt: skip
TIME_KEYS = ("time_coverage_start", "start_time", "acquisitiondatetime", "acquisition_date", "time", "date")


def parse_bounds(text: str) -> Bounds:
    """ "W,S,E,N" in degrees → bounds. East is raised by 360 where the antimeridian is crossed.

    >>> parse_bounds("170,-5,-170,10")
    (170.0, -5.0, 190.0, 10.0)
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"bounds {text!r}; expected four numbers W,S,E,N in degrees, such as -61,10,-40,24") from None
    return check_bounds((west, south, east, north))


def check_bounds(bounds: Iterable[float]) -> Bounds:
    """Four numbers in degrees → bounds with west < east and −180 ≤ west < 180, or a UserError."""
    numbers = tuple(float(number) for number in bounds)
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise UserError(f"bounds {numbers}; expected four numbers: west, south, east, north in degrees")
    west, south, east, north = numbers
    if not (-90 <= south < north <= 90):
        raise UserError(f"bounds {numbers}; expected −90 ≤ south < north ≤ 90; the order is west, south, east, north")
    if not (-180 <= west <= 360 and -180 <= east <= 540):
        raise UserError(f"bounds {numbers}; expected longitudes from −180 to 180, or from 0 to 360")
    if west > east:
        east += 360
    if not 0 < east - west <= 360:
        raise UserError(f"bounds {numbers}; expected a box at most 360° wide, with west different from east")
    turns = 360 * np.floor((west + 180) / 360)
    return float(west - turns), south, float(east - turns), north


def bounds_in_name(name: str) -> Bounds | None:
    """The box in a file name such as 20071227_-61--40_10-24; None if there is none, or none that is on Earth."""
    match = PLACED.search(name)
    if match is None:
        return None
    west, east, south, north = (float(match[group]) for group in range(6, 10))
    try:
        return check_bounds((west, south, east, north))
    except UserError:
        return None


def time_in_name(name: str) -> np.datetime64 | None:
    """The first date in a file name, with its hour and minute if they follow; None if there is none."""
    match = PLACED.search(name)
    if match:
        return _to_time(match[1], match[2], match[3], match[4], match[5])
    match = DAY_OF_YEAR.search(name)
    if match:
        first, clock = np.datetime64(f"{match[1]}-01-01"), f"T{match[3] or '00'}:{match[4] or '00'}"
        return parse_time(f"{first + (int(match[2]) - 1)}{clock}")
    for match in DATE.finditer(name):
        time = _to_time(match[1], match[3], match[4], match[5], match[6]) or _to_time(match[1], match[3], match[4])
        if time is not None:
            return time
    return None


def _to_time(
    year: str, month: str, day: str, hour: str | None = None, minute: str | None = None
) -> np.datetime64 | None:
    try:
        time = np.datetime64(f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}", "s")
    except ValueError:
        return None
    # Numbers in names are not always dates. Satellites have looked since 1960.
    return time if np.datetime64("1960-01-01") <= time < np.datetime64("2100-01-01") else None


def parse_time(value: Any) -> np.datetime64:
    """ISO text, a datetime or a datetime64 → UTC in seconds."""
    from datetime import UTC, datetime

    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip().removesuffix("UTC").strip())
        if isinstance(value, datetime) and value.tzinfo:
            value = value.astimezone(UTC).replace(tzinfo=None)
        if not isinstance(value, datetime | np.datetime64) and hasattr(value, "isoformat"):  # cftime, date
            value = value.isoformat()
        time = np.datetime64(value, "s")
    except (ValueError, TypeError):
        raise UserError(f"time {value!r}; expected ISO 8601 in UTC, such as 2020-01-31 or 2020-01-31T13:30") from None
    if np.isnat(time):
        raise UserError("time is missing (NaT); expected ISO 8601 in UTC, such as 2020-01-31")
    return time


def time_in_attributes(attributes: Mapping[str, Any]) -> np.datetime64 | None:
    """The start of the observation, where attributes or tags name it."""
    lower = {str(key).lower(): value for key, value in attributes.items()}
    for key in TIME_KEYS:
        if key in lower:
            try:
                return parse_time(lower[key])
            except UserError:
                continue
    return None


def find_sensor(name: str, attributes: Mapping[str, Any] | None = None) -> str:
    """A file name and attributes → such as "MODIS Aqua"; empty if it is not known."""
    lower = {str(key).lower(): value for key, value in (attributes or {}).items()}
    for text in [*(str(lower[key]) for key in SENSOR_KEYS if key in lower), name]:
        for pattern, sensor in SENSORS:
            if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", text, re.IGNORECASE):
                return sensor
    return ""
