"""Small pictures with a place, in every kind of file and array."""

from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import cv2
import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.scene import Scene
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask

BOUNDS = (-61.0, 10.0, -58.0, 12.0)
SHAPE = (40, 60)
"""Square pixels of 0.05°."""
NAME = "Aqua_CorrectedReflectance20080120_-61--58_10-12"
"""Without its ending."""


def draw_picture(shape: tuple[int, int] = SHAPE, seed: int = 0) -> Image:
    """Soft colours, brighter to the south-east, no two quarters alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (max(2, shape[0] // 8), max(2, shape[1] // 8), 3), np.uint8)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def write_picture(path: Path, image: Image) -> Path:
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def write_geotiff(
    path: Path,
    image: np.ndarray,
    grid: Grid | None = None,
    *,
    alpha: Mask | None = None,
    mask: Mask | None = None,
    **options: Any,
) -> Path:
    """Image (H×W×bands) → a GeoTIFF. Without a grid it has no place."""
    bands = np.moveaxis(image, 2, 0)
    if alpha is not None:
        bands = np.concatenate([bands, alpha[None].astype(image.dtype) * np.iinfo(image.dtype).max])
    place = {} if grid is None else {"crs": grid.crs, "transform": Affine(*grid.transform)}
    profile = {
        "driver": "GTiff",
        "count": len(bands),
        "height": image.shape[0],
        "width": image.shape[1],
        "dtype": image.dtype,
    }
    with catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path, "w", **profile, **place, **options)
    with file, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        file.write(bands)
        if mask is not None:
            file.write_mask(mask)
        if alpha is not None:
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    return path


def to_array(image: np.ndarray, bounds: Bounds = BOUNDS, y: str = "latitude", x: str = "longitude") -> xr.DataArray:
    """Image (H×W×bands) → dimensions (y, x, band), north up, coordinates at the centres of pixels."""
    grid = Grid.from_bounds(bounds, image.shape[:2])
    return xr.DataArray(image, dims=(y, x, "band"), coords={y: grid.latitude, x: grid.longitude})


def read_all(scene: Scene) -> tuple[Image, Mask]:
    height, width = scene.place.grid.shape
    return scene.read(slice(0, height), slice(0, width))
