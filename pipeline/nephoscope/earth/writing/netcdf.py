"""A Dataset as a NetCDF-4 file: compressed, chunked, and the same bytes for the same content."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.reading.stores import NETCDF_LOCK
from nephoscope.earth.writing.blocks import chunk_shape
from nephoscope.files import atomic_write

if TYPE_CHECKING:
    import netCDF4
    import xarray as xr

# Every chunk is written once, so the cache of the library (64 MB per variable) would only take memory.
COMPRESSION: dict[str, Any] = {"zlib": True, "complevel": 4, "shuffle": True, "chunk_cache": 1 << 20}


def write_netcdf(dataset: "xr.Dataset", path: Path) -> None:
    """Write atomically. Lazy variables are computed and written in rows of chunks, one after another.

    xarray writes lazy chunks in an order that may change, and with it the bytes of the file.
    """
    import netCDF4
    from xarray.conventions import cf_encoder

    texts = {name: _as_characters(variable) for name, variable in dataset.variables.items()}
    variables, attributes = cf_encoder(texts, dict(dataset.attrs))
    # Lazy variables are computed in this thread: others would wait for the lock.
    with atomic_write(path) as unfinished, NETCDF_LOCK, netCDF4.Dataset(unfinished, "w", format="NETCDF4") as file:
        file.set_fill_off()
        for name, variable in variables.items():
            for dim, size in variable.sizes.items():
                if dim not in file.dimensions:
                    file.createDimension(dim, size)
            chunks = chunk_shape(variable.shape) if name in dataset.data_vars and variable.ndim > 1 else None
            _write_variable(file, str(name), variable, chunks)
        file.setncatts(attributes)


def encode_netcdf(dataset: "xr.Dataset") -> bytes:
    """The file's content, for storage that is not a folder."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "map.nc")
        write_netcdf(dataset, path)
        return path.read_bytes()


def _as_characters(variable: "xr.Variable") -> "xr.Variable":
    """Text as arrays of characters, which more programs read than strings. Numbers stay as they are."""
    if variable.dtype.kind not in "OUT":
        return variable
    from xarray import Variable

    text = np.char.encode(variable.values.astype(str), "utf-8")
    size = text.dtype.itemsize
    letters = text[..., None].view("S1")
    return Variable((*variable.dims, f"string{size}"), letters, {**variable.attrs, "_Encoding": "utf-8"})


def _write_variable(
    file: "netCDF4.Dataset", name: str, variable: "xr.Variable", chunks: tuple[int, ...] | None
) -> None:
    attributes = {key: value for key, value in variable.attrs.items() if key != "_FillValue"}
    fill, dtype = variable.attrs.get("_FillValue"), np.dtype(variable.dtype)
    if dtype == np.uint8:
        # CF knows no unsigned bytes before version 1.9; programs that know `_Unsigned` read them from signed ones.
        attributes["_Unsigned"] = "true"
        if "flag_masks" in attributes:
            attributes["flag_masks"] = _signed(attributes["flag_masks"])
        fill, dtype = None if fill is None else _signed(fill), np.dtype(np.int8)
    layout = COMPRESSION | {"chunksizes": chunks} if chunks else {}
    layout |= {"fill_value": False if fill is None else fill}
    target = file.createVariable(name, dtype, [*map(str, variable.dims)], **layout)
    target.setncatts(attributes)
    target.set_auto_maskandscale(False)  # the content is encoded already
    if not chunks:
        target[...] = variable.compute(scheduler="synchronous").values
        return
    for plane in np.ndindex(*variable.shape[:-2]):
        for begin in range(0, variable.shape[-2], chunks[-2]):
            part = (*plane, slice(begin, begin + chunks[-2]), slice(None))
            # One block at a time: dask would otherwise hold one for every core.
            values = variable[part].compute(scheduler="synchronous").values
            target[part] = values.astype(variable.dtype, copy=False).view(dtype)


def _signed(values: Any) -> npt.NDArray[np.int8]:
    return np.asarray(values, np.uint8).view(np.int8)
