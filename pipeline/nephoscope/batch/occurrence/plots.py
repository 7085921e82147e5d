"""The pictures beside a file of occurrence: a map of all periods together, and the series of the whole domain."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nephoscope.batch.occurrence.periods import SEASONS
from nephoscope.files import atomic_write

if TYPE_CHECKING:
    import xarray as xr

DPI = 130
FINEST_COLUMNS = 1500
"""Of the coast, which needs no more detail than a picture shows."""


def write_plots(dataset: "xr.Dataset", out: Path) -> tuple[Path, Path]:
    """<name>-map.png and <name>-series.png beside the NetCDF file `out`."""
    from nephoscope.figures.occurrence import draw_maps, draw_series

    patterns = [str(name) for name in dataset["pattern"].values]
    edges = tuple(_edges(dataset[f"{axis}_bnds"].values) for axis in ("latitude", "longitude"))
    title = f"Days from {dataset.attrs['first_day']} to {dataset.attrs['last_day']}"
    maps = draw_maps(_mean_of_all(dataset), patterns, (edges[0], edges[1]), _land(*edges), title)
    mean, low, high = (dataset[f"domain_{name}"].values.astype(float) for name in ("occurrence", "low", "high"))
    series = draw_series(_labels(dataset), mean, low, high, patterns, "All cells together")
    paths = out.with_name(f"{out.stem}-map.png"), out.with_name(f"{out.stem}-series.png")
    for path, figure in zip(paths, (maps, series), strict=True):
        with atomic_write(path) as unfinished:
            figure.savefig(unfinished, dpi=DPI, metadata={"Software": None})
    return paths


def _mean_of_all(dataset: "xr.Dataset") -> npt.NDArray[np.float64]:
    """C×rows×columns: the mean over the days of all periods."""
    days = dataset["days"].values[:, None]
    total = (np.nan_to_num(dataset["occurrence"].values.astype(float)) * days).sum(0)
    count = days.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _edges(bounds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.append(bounds[:, 0], bounds[-1, 1])


def _land(latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    from nephoscope.earth.land import land_at

    step = max(0.05, np.ptp(longitude) / FINEST_COLUMNS)
    rows, columns = (max(2, round(np.ptp(edges) / step)) for edges in (latitude, longitude))
    centres = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    north, south = latitude[[0, -1]]
    west, east = longitude[[0, -1]]
    return land_at((north + (south - north) * centres[0])[:, None], (west + (east - west) * centres[1])[None])


def _labels(dataset: "xr.Dataset") -> list[str]:
    for name in ("season_of_year", "month_of_year", "hour"):
        if name in dataset.coords:
            return [str(value) for value in dataset[name].values]
    months = dataset["time"].values.astype("datetime64[M]")
    kind = dataset.attrs["period"]
    if kind == "year":
        return [str(month.astype("datetime64[Y]")) for month in months]
    if kind == "season":
        numbers = months.astype(int)
        return [f"{1970 + (number + 1) // 12} {SEASONS[(number + 1) % 12 // 3]}" for number in numbers]
    return [str(month) for month in months]
