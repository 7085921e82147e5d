"""Files that need a whole result, with its probabilities: NetCDF, Zarr and GeoTIFF. They are written one at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nephoscope.addresses import open_storage
from nephoscope.earth.grid import Bounds
from nephoscope.earth.windows.plan import OVERLAP
from nephoscope.earth.writing.zarr_store import ZarrFormat
from nephoscope.inference.result import Result
from nephoscope.settings.choices import Convention, Output


@dataclass(frozen=True)
class MapOptions:
    """How scenes are placed, read and written."""

    bounds: Bounds | None = None
    """(west, south, east, north) of images that have no place of their own."""
    time: str | None = None
    """ISO 8601 in UTC, of images that have no time of their own."""
    overlap: float = OVERLAP
    """Share of a window that overlaps the next one, in scenes of several windows."""
    zarr_format: ZarrFormat = 2
    convention: Convention = "nephoscope"
    """c3ontext: also one store of daily frequencies, as the readers of C3ONTEXT expect it."""


def write_maps(result: Result, output: Output, folder: str, options: MapOptions) -> None:
    """Write the files of a result into a folder: a local path or an fsspec address."""
    files, path = open_storage(folder)
    if "://" not in folder:
        WRITERS[output](result, Path(path), options)
        return
    with TemporaryDirectory() as local:
        WRITERS[output](result, Path(local), options)
        for written in Path(local).iterdir():
            files.put(str(written), f"{path}/{written.name}", recursive=True)


def _write_netcdf(result: Result, folder: Path, _: MapOptions) -> None:
    from nephoscope.earth.writing.netcdf import write_netcdf

    write_netcdf(result.to_xarray(), folder / f"{result.image_id}.nc")


def _write_zarr(result: Result, folder: Path, options: MapOptions) -> None:
    from nephoscope.earth.writing.zarr_store import write_zarr

    write_zarr(result.to_xarray(), folder / f"{result.image_id}.zarr", options.zarr_format)


def _write_geotiff(result: Result, folder: Path, _: MapOptions) -> None:
    from nephoscope.earth.writing.geotiff import write_geotiffs

    write_geotiffs(result, folder)


WRITERS: dict[Output, Callable[[Result, Path, MapOptions], None]] = {
    "netcdf": _write_netcdf,
    "zarr": _write_zarr,
    "geotiff": _write_geotiff,
}
"""Outputs with files for every image, in a folder of the same name."""
