"""A Dataset as a Zarr store: a folder whose files have the same bytes for the same content."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nephoscope.earth.writing.blocks import chunk_shape
from nephoscope.files import atomic_write

if TYPE_CHECKING:
    import xarray as xr

ZarrFormat = Literal[2, 3]
KEPT = ("dtype", "scale_factor", "add_offset", "_FillValue", "_Unsigned", "units", "calendar", "grid_mapping", "bounds")
"""Encodings that say what the values mean. A Dataset that was read from a file has others, of that file."""


def write_zarr(dataset: "xr.Dataset", path: Path, zarr_format: ZarrFormat = 2) -> None:
    """Write a folder atomically. Format 2 is consolidated and read by more programs; 3 is the current format.

    >>> write_zarr(result.to_xarray(), Path("map.zarr"))      # doctest: +SKIP
    >>> xarray.open_zarr("map.zarr", decode_coords="all")     # doctest: +SKIP
    """
    import dask

    # One block at a time: dask would otherwise hold several for every core.
    with atomic_write(path) as unfinished, dask.config.set(scheduler="synchronous"):
        storable(dataset, zarr_format).to_zarr(
            unfinished, mode="w", zarr_format=zarr_format, consolidated=zarr_format == 2, align_chunks=True
        )


def storable(dataset: "xr.Dataset", zarr_format: ZarrFormat) -> "xr.Dataset":
    """A copy with the chunks, the compression and the kind of text that this format knows."""
    # Format 3 specifies no text of fixed length, and format 2 none of variable length.
    text = str if zarr_format == 2 else object
    copy = dataset.assign_coords(
        {name: field.astype(text) for name, field in dataset.coords.items() if field.dtype.kind in "OUT"}
    )
    for name, variable in copy.variables.items():
        variable.encoding = {key: value for key, value in variable.encoding.items() if key in KEPT}
        if name in copy.data_vars and variable.ndim > 1:
            variable.encoding |= {"chunks": chunk_shape(variable.shape), "compressors": [_compressor(zarr_format)]}
    return copy


def _compressor(zarr_format: ZarrFormat) -> Any:
    if zarr_format == 2:
        from numcodecs import Blosc

        return Blosc("zstd", 5, Blosc.SHUFFLE)
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=5, shuffle="shuffle")
