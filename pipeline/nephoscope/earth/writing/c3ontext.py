"""The convention of C3ONTEXT (Schulz 2022): daily frequencies of patterns, as its readers expect them.

`freq(date, longitude, latitude, pattern)` is the mean over the images of a day that saw the cell: the calibrated
presence of the pattern where its mask is, 0 elsewhere. "Unclassified" is the share of these images without any mask.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nephoscope.earth.writing.zarr_store import storable
from nephoscope.errors import UserError
from nephoscope.files import atomic_write

if TYPE_CHECKING:
    import xarray as xr

NAMES = {"Sugar": "Sugar", "Flower": "Flowers", "Fish": "Fish", "Gravel": "Gravel"}
"""Our names → those of C3ONTEXT, in its order. Other patterns follow under their own names."""
UNCLASSIFIED = "Unclassified"
DIMS = ("date", "longitude", "latitude", "pattern")
DATE_CHUNK = 1024
DESCRIPTION = (
    "freq is the calibrated presence of the pattern where its mask is, and 0 elsewhere, averaged over the images of "
    "the day that saw the cell. Unclassified is the share of these images in which no pattern has a mask there. Cells "
    "that no image saw are missing. nb_users is the number of images of the day; no person labelled them."
)
CARRIED = ("nephoscope_model", "nephoscope_rules", "nephoscope_engines", "nephoscope_command", "references")
"""Provenance that all images of a run share."""


def write_c3ontext(datasets: Iterable["xr.Dataset"], path: Path) -> None:
    """Datasets of `to_dataset`, sorted by time and on one grid → a consolidated Zarr store (format 2).

    Only the images of one day are in memory.
    """
    first: xr.Dataset | None = None
    latest: Any = np.datetime64("NaT")
    with atomic_write(path) as unfinished:
        for date, images in groupby(datasets, key=_date):
            if date <= latest:
                raise UserError(f"an image of {date} after one of {latest}; sort the images by time")
            day = _in_seconds(to_c3ontext(list(images)))
            if first is None:
                day.to_zarr(unfinished, mode="w", zarr_format=2, consolidated=True)
                first = day.drop_vars("freq")
            else:
                _refuse_other_grid(first, day, date)
                day.to_zarr(unfinished, append_dim="date", zarr_format=2, consolidated=True)
            latest = date
        if first is None:
            raise UserError("no images; C3ONTEXT needs at least one with a place and a time")


def to_c3ontext(datasets: Sequence["xr.Dataset"]) -> "xr.Dataset":
    """Datasets of one day on one grid → freq and nb_users of that day.

    >>> day = to_c3ontext([result.to_xarray()])                           # doctest: +SKIP
    >>> day.freq.interp(latitude=13.2, longitude=-58.5).sel(
    ...     date="2020-01-15", pattern="Flowers")                         # doctest: +SKIP
    """
    import xarray as xr

    first = datasets[0]
    for other in datasets[1:]:
        _refuse_other_grid(first, other, _date(other))
    images = xr.concat([_frequencies(dataset) for dataset in datasets], "time")
    freq = images.mean("time").expand_dims(date=[_date(first)]).transpose(*DIMS).astype(np.float32)
    freq.attrs = {"long_name": "frequency of the pattern", "units": "1", "comment": DESCRIPTION}
    freq.encoding = {"dtype": "int32", "scale_factor": 1e-4, "_FillValue": np.int32(-1)}
    count = xr.DataArray(np.array([images.sizes["time"]], np.int32), dims="date")
    count.attrs = {"long_name": "number of images"}
    day = xr.Dataset({"freq": freq, "nb_users": count}, attrs=_attributes(first.attrs))
    return _encoded(day)


def _date(dataset: "xr.Dataset") -> np.datetime64:
    """The day of all times of a Dataset."""
    if "time" not in dataset.coords or "latitude" not in dataset.coords:
        name = dataset.attrs.get("image_id", "an image")
        raise UserError(f"{name}: C3ONTEXT needs a place and a time; give --bounds W,S,E,N --time ISO")
    days = np.unique(np.atleast_1d(dataset["time"].values).astype("datetime64[D]"))
    if len(days) > 1:
        raise UserError(f"{len(days)} days in one Dataset; pass one Dataset per day: dataset.groupby('time.date')")
    return np.datetime64(days[0], "ns")


def _refuse_other_grid(first: "xr.Dataset", other: "xr.Dataset", date: np.datetime64) -> None:
    for name in ("longitude", "latitude", "pattern"):
        if not np.array_equal(first[name].values, other[name].values):
            raise UserError(
                f"{np.datetime_as_string(date, 'D')}: the {name} differs from the images before; a C3ONTEXT store has "
                "one grid and the same patterns; write one store for each region"
            )


def _frequencies(dataset: "xr.Dataset") -> "xr.DataArray":
    """(time, pattern, latitude, longitude): presence in masks, then Unclassified; NaN where nothing was seen."""
    import xarray as xr

    masks = dataset["mask"].reset_coords(drop=True)
    presence = masks * dataset["presence"].fillna(0).reset_coords(drop=True)
    names = [name for name in NAMES if name in masks["pattern"]]
    names += [name for name in masks["pattern"].values.tolist() if name not in names]
    patterns = presence.sel(pattern=names).assign_coords(pattern=[NAMES.get(name, name) for name in names])
    nothing = (masks.max("pattern") == 0).where(masks.isel(pattern=0, drop=True).notnull())
    return xr.concat([patterns, nothing.expand_dims(pattern=[UNCLASSIFIED])], "pattern")


def _attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    version = attributes.get("nephoscope_version", "")
    stated = {
        "title": "Daily frequencies of patterns of shallow convection",
        "description": DESCRIPTION,
        "author": "nephoscope",
        "created_with": f"nephoscope {version}".strip(),
        "version": version,
    }
    return stated | {name: attributes[name] for name in CARRIED if name in attributes}


def _in_seconds(day: "xr.Dataset") -> "xr.Dataset":
    """Dates as numbers: xarray would write the units in another spelling."""
    seconds = day["date"].astype("datetime64[s]").astype(np.int64)
    seconds.attrs = {**day["date"].attrs, "units": "seconds since 1970-01-01 00:00:00 UTC", "calendar": "standard"}
    seconds.encoding = {"chunks": (DATE_CHUNK,)}
    return day.assign_coords(date=seconds)


def _encoded(day: "xr.Dataset") -> "xr.Dataset":
    day["longitude"].attrs = {"standard_name": "longitude", "units": "degree_east"}
    day["latitude"].attrs = {"standard_name": "latitude", "units": "degree_north"}
    day["date"].attrs = {"standard_name": "time"}
    day = storable(day, 2)
    day["freq"].encoding["chunks"] = (1, *(min(size, 1024) for size in day["freq"].shape[1:]))
    # Days are appended one by one; a file for each of them would be slow to read.
    day["nb_users"].encoding["chunks"] = (DATE_CHUNK,)
    return day
