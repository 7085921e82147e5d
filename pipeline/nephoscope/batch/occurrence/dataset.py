"""Occurrence as a Dataset after the CF conventions. `docs/occurrence.md` describes every variable."""

from collections.abc import Sequence
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nephoscope.batch.occurrence.count import Occurrence, count_occurrence
from nephoscope.batch.occurrence.maps import Quantity
from nephoscope.batch.occurrence.periods import CLIMATOLOGICAL, SEASONS, PeriodKind, Span, span_of
from nephoscope.earth.writing.coordinates import pattern_coordinate
from nephoscope.errors import UserError
from nephoscope.progress import Progress, no_progress
from nephoscope.provenance import CITATION

if TYPE_CHECKING:
    import xarray as xr

AREA = ("latitude", "longitude")
METHODS = {
    "month_of_year": "time: mean within years time: mean over years",
    "season_of_year": "time: mean within years time: mean over years",
    "hour": "time: mean within days time: mean over days",
}
MEANINGS = {
    "masks": "share of the seen sea that the pattern covers, mean over days",
    "presence": "calibrated probability of the pattern around a seen place, mean over days",
}
EPOCH = {"calendar": "standard", "dtype": "float64", "_FillValue": None}
COPIED = ("nephoscope_model", "nephoscope_rules", "nephoscope_engines", "nephoscope_version", "nephoscope_sensor")
"""Attributes of the maps that are repeated, each different value once."""
MAX_VALUES = 20


def to_dataset(counted: Occurrence, command: str = "") -> "xr.Dataset":
    """Variables `occurrence`, `occurrence_low`, `occurrence_high` (time, pattern, latitude, longitude), `days`, and
    the same for the whole domain."""
    from xarray import Dataset

    spans = [span_of(counted.kind, period, counted.first, counted.last) for period in counted.periods]
    coordinates = _time_coordinates(counted.kind, counted.periods, spans) | _cell_coordinates(counted)
    coordinates["pattern"] = pattern_coordinate(counted.patterns)
    variables = _cell_variables(counted) | _domain_variables(counted)
    variables["day_correlation"] = _variable(
        ("pattern",), counted.pool.correlation, "correlation of a cell's share with that of the next day"
    )
    return Dataset(variables, coordinates, _attributes(counted, command))


def grid_occurrence(
    maps: Sequence[str],
    out: str | PathLike[str] | None = None,
    *,
    cell: float = 2.5,
    by: str = "month",
    quantity: Quantity = "masks",
    least_seen: float = 0.5,
    command: str = "nephoscope.batch.occurrence.dataset.grid_occurrence",
    progress: Progress = no_progress,
) -> "xr.Dataset":
    """Maps → how often each pattern occurs per cell and period; also written to the NetCDF file `out`, if it is given.

    maps: NetCDF files, Zarr stores, folders or patterns of them, as `predict` writes them
    by: month, season, year, month_of_year, season_of_year, hour or all
    quantity: masks (share of the area) or presence (calibrated probability)
    least_seen: a day counts in a cell if at least this share of it was seen
    """
    from nephoscope.earth.writing.netcdf import write_netcdf

    path = None if out is None else Path(out)
    if path is not None and path.is_dir():
        raise UserError(f"{path} is a folder; expected the name of a NetCDF file, such as {path / 'occurrence.nc'}")
    if path is not None and path.suffix.lower() not in (".nc", ".nc4"):
        raise UserError(f"{path}: the result is a NetCDF file; expected a name that ends in .nc")
    counted = count_occurrence(maps, cell=cell, by=by, quantity=quantity, least_seen=least_seen, progress=progress)
    dataset = to_dataset(counted, command)
    if path is not None:
        write_netcdf(dataset, path)
    return dataset


def _cell_variables(counted: Occurrence) -> "dict[str, xr.Variable]":
    maps = ("time", "pattern", *AREA)
    mean = np.stack([summary.mean for summary in counted.summaries])
    low, high = np.stack([counted.pool.interval(summary) for summary in counted.summaries], 1)
    extra = {
        "cell_methods": f"area: mean {METHODS.get(counted.kind, 'time: mean')}",
        "ancillary_variables": "occurrence_low occurrence_high days",
    }
    variables = {
        "occurrence": _variable(maps, mean, MEANINGS[counted.quantity], **extra),
        "occurrence_low": _variable(maps, low, "lower end of the 95 % interval of occurrence"),
        "occurrence_high": _variable(maps, high, "upper end of the 95 % interval of occurrence"),
        "days": _count(("time", *AREA), np.stack([summary.count for summary in counted.summaries])),
    }
    if counted.land_share is not None:
        name = {"standard_name": "land_area_fraction"}
        variables["land_share"] = _variable(AREA, counted.land_share, "share of the cell that is land", **name)
    return variables


def _domain_variables(counted: Occurrence) -> "dict[str, xr.Variable]":
    """Series of the whole domain, whose interval cannot be computed from those of its cells."""
    mean = np.stack([summary.mean[:, 0] for summary in counted.domain_summaries])
    ends = [counted.domain_pool.interval(summary) for summary in counted.domain_summaries]
    low, high = np.stack(ends, 1)[..., 0]
    dims, extra = ("time", "pattern"), {"ancillary_variables": "domain_low domain_high domain_days"}
    return {
        "domain_occurrence": _variable(dims, mean, f"{MEANINGS[counted.quantity]}, all cells together", **extra),
        "domain_low": _variable(dims, low, "lower end of the 95 % interval of domain_occurrence"),
        "domain_high": _variable(dims, high, "upper end of the 95 % interval of domain_occurrence"),
        "domain_days": _count(("time",), np.stack([summary.count[0] for summary in counted.domain_summaries])),
    }


def _variable(dims: tuple[str, ...], values: npt.NDArray[Any], long_name: str, **extra: str) -> "xr.Variable":
    from xarray import Variable

    attributes = {"long_name": long_name, "units": "1", **extra}
    return Variable(dims, values.astype(np.float32), attributes, {"_FillValue": np.float32(np.nan)})


def _count(dims: tuple[str, ...], values: npt.NDArray[Any]) -> "xr.Variable":
    from xarray import Variable

    attributes = {"long_name": "number of days on which enough was seen", "units": "1"}
    return Variable(dims, values.astype(np.int32), attributes, {"_FillValue": None})


def _cell_coordinates(counted: Occurrence) -> "dict[str, xr.Variable]":
    from xarray import Variable

    edges = {"latitude": counted.cells.latitude_edges, "longitude": counted.cells.longitude_edges}
    coordinates = {}
    for name, units, axis in (("latitude", "degrees_north", "Y"), ("longitude", "degrees_east", "X")):
        pairs = np.stack([edges[name][:-1], edges[name][1:]], 1)
        attributes = {
            "standard_name": name, "long_name": f"{name} of the centre of the cell", "units": units, "axis": axis,
            "bounds": f"{name}_bnds",
        }  # fmt: skip
        coordinates[name] = Variable(name, pairs.mean(1), attributes, {"_FillValue": None})
        coordinates[f"{name}_bnds"] = Variable((name, "bnds"), pairs, {}, {"_FillValue": None})
    return coordinates


def _time_coordinates(kind: PeriodKind, periods: tuple[int, ...], spans: list[Span]) -> "dict[str, xr.Variable]":
    """The begin of every period, with its bounds; for climatological periods the first of them, and their number."""
    from xarray import Variable

    begins, ends = (np.array([getattr(span, end) for span in spans], "datetime64[ns]") for end in ("begin", "end"))
    bounds = "climatology" if kind in CLIMATOLOGICAL else "bounds"
    encoding = {"units": f"{'hours' if kind == 'hour' else 'days'} since 1970-01-01 00:00:00", **EPOCH}
    attributes = {"standard_name": "time", "long_name": "begin of the period", "axis": "T", bounds: f"time_{bounds}"}
    coordinates = {
        "time": Variable("time", begins, attributes, encoding),
        f"time_{bounds}": Variable(("time", "bnds"), np.stack([begins, ends], 1), {}, encoding),
    }
    if kind == "season_of_year":
        names = np.array([SEASONS[period] for period in periods])
        coordinates[kind] = Variable("time", names, {"long_name": "season, by the initials of its months"})
    elif kind in CLIMATOLOGICAL:
        attributes = {"long_name": {"hour": "hour of the day (UTC)"}.get(kind, "month of the year"), "units": "1"}
        coordinates[kind] = Variable("time", np.array(periods, np.int32), attributes, {"_FillValue": None})
    return coordinates


def _attributes(counted: Occurrence, command: str) -> dict[str, str | float]:
    attributes: dict[str, str | float] = {
        "Conventions": "CF-1.8",
        "title": f"Occurrence of {', '.join(counted.patterns)} per cell of {counted.cells.size:g} degrees",
        "source": f"{len(counted.sources)} file{'' if len(counted.sources) == 1 else 's'} of maps",
        "quantity": counted.quantity,
        "period": counted.kind,
        "first_day": str(counted.first.astype("datetime64[D]")),
        "last_day": str(counted.last.astype("datetime64[D]")),
        "least_seen_share": counted.least_seen,
        "comment": "Missing where no day saw enough of the cell. Intervals count days as cases, not pixels.",
        "references": CITATION,
    }
    if command:  # no date: the same command gives the same bytes
        attributes["history"] = f"{command} (nephoscope {version('nephoscope')})"
        attributes["nephoscope_command"] = command
    for name in COPIED:
        values = sorted({maps.attributes[name] for maps in counted.sources if maps.attributes.get(name)})
        if values:
            more = f" | … ({len(values)} values)" if len(values) > MAX_VALUES else ""
            attributes[name] = " | ".join(values[:MAX_VALUES]) + more
    return attributes
