"""Open what has a place on Earth: files of every kind, and arrays in memory."""

from collections.abc import Iterator, Sequence
from itertools import islice
from os import PathLike, fspath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.reading.names import check_bounds, parse_bounds, parse_time
from nephoscope.earth.reading.pictures import PicturePixels, has_place, is_picture, open_picture
from nephoscope.earth.reading.placing import Description, check_square, make_scene
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image

if TYPE_CHECKING:
    import xarray as xr

RASTERS = (".tif", ".tiff", ".gtiff", ".cog")
DATASETS = (".nc", ".nc4", ".cdf", ".netcdf", ".zarr")
ENDINGS = RASTERS + DATASETS
"""Of files that are always scenes. JPEG and PNG files are scenes if they have a place."""


def is_scene(address: str, bounds: Bounds | None = None) -> bool:
    """Whether an address must be opened as a scene: by its ending, its name, a world file beside it, or bounds.

    Reads nothing but names, so that batches of plain pictures lose no time.
    """
    return _ending(address) in ENDINGS or (is_picture(address) and has_place(address, bounds))


def open_scene(
    source: "str | PathLike[str] | xr.DataArray | xr.Dataset",
    *,
    bounds: Sequence[float] | str | None = None,
    time: Any = None,
    name: str | None = None,
) -> Scene | None:
    """A path, an fsspec address or an array of one time → its scene; None for a JPEG or PNG without a place.

    `bounds`: (west, south, east, north) in degrees, for sources without a place. `time`: ISO 8601 in UTC, for sources
    without a time. `name`: image_id of the results. Sources of several times are opened with `open_scenes`.
    """
    scenes = list(islice(open_scenes(source, bounds=bounds, time=time, name=name), 2))
    if len(scenes) > 1:
        for scene in scenes:
            scene.close()
        raise UserError(f"{scenes[0].source}: several times; open each of them, or select one with .isel(time=0)")
    return scenes[0] if scenes else None


def place_array(image: Image, bounds: Sequence[float], time: Any = None) -> Scene:
    """An image in memory (H×W×3 uint8) and its bounds → its scene."""
    grid = Grid.from_bounds(check_bounds(bounds), (image.shape[0], image.shape[1]))
    check_square("the array", grid)
    when = None if time is None else parse_time(time)
    return make_scene(PicturePixels(image, grid), Description("array", "an array in memory", when))


def open_scenes(
    source: "str | PathLike[str] | xr.DataArray | xr.Dataset",
    *,
    bounds: Sequence[float] | str | None = None,
    time: Any = None,
    name: str | None = None,
) -> Iterator[Scene]:
    """As `open_scene`, a scene for each time of the source. Close each of them."""
    box = None if bounds is None else parse_bounds(bounds) if isinstance(bounds, str) else check_bounds(bounds)
    when = None if time is None else parse_time(time)
    if isinstance(source, str | PathLike):
        yield from _open_address(fspath(source), box, when, name)
        return
    import xarray as xr

    if not isinstance(source, xr.DataArray | xr.Dataset):
        raise UserError(
            f"expected a path, an xarray.DataArray or a Dataset, found {type(source).__name__}; wrap an array with "
            "xarray.DataArray(array, dims=('y', 'x', 'band')) and state its bounds"
        )
    from nephoscope.earth.reading.arrays import open_arrays

    yield from open_arrays(source, box, when, name)


def _open_address(address: str, bounds: Bounds | None, time: np.datetime64 | None, name: str | None) -> Iterator[Scene]:
    if is_picture(address):
        picture = open_picture(address, bounds, time, name)
        yield from [] if picture is None else [picture]
    elif _ending(address) in RASTERS:
        from nephoscope.earth.reading.rasters import open_raster

        yield open_raster(address, bounds, time, name)
    elif _ending(address) in DATASETS:
        from nephoscope.earth.reading.stores import open_file

        yield from open_file(address, bounds, time, name)
    else:
        raise UserError(
            f"{address}: expected one of .jpg, .jpeg, .png, {', '.join(ENDINGS)}; convert it, such as with "
            "gdal_translate"
        )


def _ending(address: str) -> str:
    return PurePosixPath(address.rstrip("/")).suffix.lower()
