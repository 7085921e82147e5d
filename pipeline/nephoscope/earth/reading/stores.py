"""NetCDF files and Zarr stores, opened lazily. Nothing in them is run: codecs that unpickle are refused."""

import shutil
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from nephoscope.addresses import open_storage
from nephoscope.earth.grid import Bounds
from nephoscope.earth.reading.arrays import open_arrays
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

ZARR = ".zarr"
NETCDF_LOCK = RLock()
"""The NetCDF library crashes if two threads are in it. xarray locks the reading of values, but not that of names and
attributes."""
CODECS = frozenset({
    "blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "shuffle", "bitround", "quantize", "fixedscaleoffset",
    "delta", "packbits", "crc32", "crc32c", "adler32", "fletcher32", "bytes", "transpose", "sharding_indexed",
    "vlen-utf8", "vlen-bytes", "astype",
})  # fmt: skip
"""Codecs that only transform numbers and text. Others, such as "pickle", could run code from the store."""


def open_file(address: str, bounds: Bounds | None, time: np.datetime64 | None, name: str | None) -> Iterator[Scene]:
    """A NetCDF file or a Zarr store → a scene for each of its times. The file closes with the last of them."""
    address = address.rstrip("/")
    with _as_user_error(address):
        dataset = _open_zarr(address) if address.lower().endswith(ZARR) else _open_netcdf(address)

    def close() -> None:
        with NETCDF_LOCK:
            dataset.close()

    try:
        yield from open_arrays(dataset, bounds, time, name, address, close)
    except Exception:
        close()
        raise


@contextmanager
def _as_user_error(address: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # netCDF4, HDF5, zarr and xarray have their own errors
        raise UserError(
            f"{address}: cannot be opened ({type(error).__name__}: {str(error)[:200]}); expected a complete NetCDF "
            "file or Zarr store; copy it again"
        ) from error


def _open_netcdf(address: str) -> "xr.Dataset":
    """The NetCDF library reads local files only, so another file is copied first. The copy goes with the Dataset."""
    import xarray as xr

    files, path = open_storage(address)
    folder = None
    if "://" in address:
        folder = mkdtemp(prefix="nephoscope-")
        files.get_file(path, f"{folder}/copy.nc")
        path = f"{folder}/copy.nc"
    elif not Path(path).is_file():
        raise UserError(f"{address}: no such file")
    options: dict[str, Any] = {"engine": "netcdf4", "cache": False, "lock": NETCDF_LOCK}
    with NETCDF_LOCK:
        with xr.open_dataset(path, decode_cf=False, **options) as stored:
            undecoded = _undecoded(stored)
        dataset = xr.open_dataset(path, decode_coords="all", mask_and_scale=undecoded, **options)
    if folder:
        weakref.finalize(dataset, shutil.rmtree, folder, ignore_errors=True)
    return dataset


def _open_zarr(address: str) -> "xr.Dataset":
    """Version 2 or 3, local or remote."""
    import xarray as xr
    import zarr

    if "://" not in address:
        address = str(Path(address).absolute())
        if not Path(address).is_dir():
            raise UserError(f"{address}: no such folder; expected a Zarr store")
    group = zarr.open_group(address, mode="r")
    for _, array in group.arrays():
        _check_codecs(address, array.metadata.to_dict())
    consolidated = group.metadata.consolidated_metadata is not None
    options: dict[str, Any] = {"engine": "zarr", "cache": False, "consolidated": consolidated}
    with xr.open_dataset(address, decode_cf=False, **options) as stored:
        undecoded = _undecoded(stored)
    return xr.open_dataset(address, decode_coords="all", mask_and_scale=undecoded, **options)


def _undecoded(dataset: "xr.Dataset") -> dict[str, bool]:
    """Images stay as they are stored, so that 8 bits stay 8 bits; coordinates are decoded."""
    return {str(name): variable.ndim < 2 for name, variable in dataset.variables.items()}


def _check_codecs(address: str, metadata: dict[str, Any]) -> None:
    unknown = sorted(set(_codec_names(metadata)) - CODECS)
    if unknown:
        raise UserError(
            f"{address}: stored with the codec {', '.join(unknown)}, which is not opened, because it could run code or "
            "is not known; write the store again with another compressor, such as zstd"
        )


def _codec_names(metadata: Any) -> Iterable[str]:
    """Every codec that the metadata of an array names (Zarr 2: compressor and filters; Zarr 3: codecs, nested)."""
    if metadata.get("zarr_format") == 2:
        codecs = [metadata.get("compressor"), *(metadata.get("filters") or ())]
        for codec in codecs:
            if codec is not None:
                yield str(codec.get("id") if isinstance(codec, dict) else codec.codec_id).lower()
    else:
        yield from _names_in(metadata.get("codecs", ()))


def _names_in(codecs: Any) -> Iterable[str]:
    for codec in codecs:
        name = codec if isinstance(codec, str) else codec["name"]
        yield str(name).lower().removeprefix("numcodecs.")
        configuration = {} if isinstance(codec, str) else codec.get("configuration") or {}
        for key in ("codecs", "index_codecs"):
            yield from _names_in(configuration.get(key) or ())
