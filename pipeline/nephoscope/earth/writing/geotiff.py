"""Masks and probabilities as cloud-optimised GeoTIFFs, on the coordinate reference system of the source."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import Grid
from nephoscope.earth.scene import Place
from nephoscope.earth.windows.row_store import read_part, read_rows
from nephoscope.earth.writing.blocks import TILE
from nephoscope.earth.writing.dataset import UNSEEN, MapResult, fitting_place, make_attributes
from nephoscope.errors import UserError
from nephoscope.figures.colours import CLASS_COLOURS, Colour
from nephoscope.files import atomic_write

BLOCK = 512
"""Side of a tile in the files."""
WHITE = (255, 255, 255, 255)
"""Where there is no pattern: the colour table of a TIFF knows transparency for nodata only."""
Bands = Callable[[slice], npt.NDArray[np.uint8]]
"""Rows → their bands (B×h×W), 255 where nothing was seen."""


def write_geotiffs(result: MapResult, folder: Path) -> list[Path]:
    """<image_id>_<pattern>_mask.tif for every pattern, and <image_id>_probability.tif with a band per pattern.

    Masks have a colour table: 0 is no pattern, 1 the pattern, 255 (nodata) was not seen. Probabilities have the scale
    1/255.
    """
    place = fitting_place(result)
    if place is None:
        raise UserError(
            f"{result.image_id}: no GeoTIFF without a place; give --bounds W,S,E,N, or write masks as PNG (masks)"
        )
    tags = {key: value for key, value in make_attributes(result, place).items() if key != "Conventions"}
    tags["TIFFTAG_IMAGEDESCRIPTION"] = tags["title"]
    if place.time is not None:
        tags["time"] = f"{place.time.astype('datetime64[s]')}Z"
    names = geotiff_names(result)
    for index, (name, class_name) in enumerate(zip(names, result.classes, strict=False)):
        colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
        _write(folder / name, place, _mask_bands(result, index), [class_name], tags, colour)
    _write(folder / names[-1], place, _probability_bands(result), result.classes, tags)
    return [folder / name for name in names]


def geotiff_names(result: MapResult) -> list[str]:
    return [*(f"{result.image_id}_{name}_mask.tif" for name in result.classes), f"{result.image_id}_probability.tif"]


def encode_geotiffs(result: MapResult) -> dict[str, bytes]:
    """Content by file name, for storage that is not a folder."""
    with TemporaryDirectory() as folder:
        return {path.name: path.read_bytes() for path in write_geotiffs(result, Path(folder))}


def _mask_bands(result: MapResult, index: int) -> Bands:
    def read(rows: slice) -> npt.NDArray[np.uint8]:
        mask = read_part(result.masks, (index, rows)).astype(np.uint8)
        return np.where(read_part(result.visible, rows), mask, np.uint8(UNSEEN))[None]

    return read


def _probability_bands(result: MapResult) -> Bands:
    def read(rows: slice) -> npt.NDArray[np.uint8]:
        levels = np.minimum(read_rows(result.levels, rows), np.uint8(UNSEEN - 1))
        return np.where(read_part(result.visible, rows), levels, np.uint8(UNSEEN))

    return read


def target_grid(place: Place) -> Grid:
    """The grid of the files: the source's with cells as large as those of the maps, or longitude and latitude."""
    source = place.source_grid
    if source is None:
        return place.grid
    factor = max(1.0, place.grid.cell_size[0] / place.source_cell)
    height, width = (max(1, round(size / factor)) for size in source.shape)
    return source.resized((height, width))


def _write(
    path: Path, place: Place, read: Bands, names: Sequence[str], tags: Mapping[str, str], colour: Colour | None = None
) -> None:
    """Rows in order into a temporary file, so that memory stays flat; GDAL copies it into the final order of a COG."""
    import rasterio
    from rasterio.shutil import copy

    with TemporaryDirectory() as folder, ExitStack() as opened:
        raw = Path(folder, "raw.tif")
        with rasterio.open(raw, "w", **_profile(place.grid, len(names))) as file:
            _describe(file, names, tags, colour)
            for begin in range(0, place.grid.shape[0], TILE[0]):
                rows = slice(begin, min(begin + TILE[0], place.grid.shape[0]))
                file.write(read(rows), window=((rows.start, rows.stop), (0, place.grid.shape[1])))
        source = raw
        grid = target_grid(place)
        if grid != place.grid:
            source = Path(folder, "warped.tif")
            _warp(opened.enter_context(rasterio.open(raw)), source, grid, names, tags, colour)
        with atomic_write(path) as unfinished:
            options = {"COMPRESS": "DEFLATE", "BLOCKSIZE": str(BLOCK), "OVERVIEW_RESAMPLING": "NEAREST"}
            copy(source, unfinished, driver="COG", **options)


def _profile(grid: Grid, bands: int) -> dict[str, Any]:
    from rasterio import Affine

    height, width = grid.shape
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": bands,
        "height": height,
        "width": width,
        "crs": grid.crs,
        "transform": Affine(*grid.transform),
        "nodata": UNSEEN,
        "compress": "deflate",
        "bigtiff": "if_safer",
        # By default, three bands would be red, green and blue, and a fourth one transparency.
        "photometric": "minisblack",
        "alpha": "no",
    }


def _describe(file: Any, names: Sequence[str], tags: Mapping[str, str], colour: Colour | None) -> None:
    file.update_tags(**tags)
    file.descriptions = tuple(names)
    if colour is None:
        file.scales = [1 / 255] * len(names)
        file.units = ["1"] * len(names)
    else:
        file.write_colormap(1, {0: WHITE, 1: (*colour, 255), UNSEEN: (0, 0, 0, 0)})


def _warp(
    source: Any, path: Path, grid: Grid, names: Sequence[str], tags: Mapping[str, str], colour: Colour | None
) -> None:
    """Every cell of the grid takes the value of the nearest pixel, so that masks and probabilities stay consistent."""
    import rasterio
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    height, width = grid.shape
    layout = {"crs": grid.crs, "transform": Affine(*grid.transform), "height": height, "width": width}
    with (
        WarpedVRT(source, resampling=Resampling.nearest, nodata=UNSEEN, src_nodata=UNSEEN, **layout) as warped,
        rasterio.open(path, "w", **_profile(grid, len(names))) as file,
    ):
        _describe(file, names, tags, colour)
        for begin in range(0, height, TILE[0]):
            window = ((begin, min(begin + TILE[0], height)), (0, width))
            file.write(warped.read(window=window), window=window)
