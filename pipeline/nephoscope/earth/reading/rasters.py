"""GeoTIFF and COG: windows of a file, read by rasterio. Nodata, masks and alpha say what was seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.addresses import open_storage
from nephoscope.earth.grid import GEOGRAPHIC, Bounds, Grid
from nephoscope.earth.reading.bands import COLOURS, Bands, choose_bands
from nephoscope.earth.reading.names import find_sensor, time_in_attributes, time_in_name
from nephoscope.earth.reading.pixels import Pixels, Window, check_block, check_size, sample_windows
from nephoscope.earth.reading.placing import Description, check_square, make_scene
from nephoscope.earth.reading.reference_systems import name_crs
from nephoscope.earth.reading.stretch import Encoding, Stretch, choose_stretch
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape

ENDINGS = (".tif", ".tiff", ".gtiff", ".cog")


@contextmanager
def _gdal(source: str) -> Iterator[None]:
    """GDAL without network access, its errors as UserError."""
    from warnings import catch_warnings, simplefilter

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    # Files beside a TIFF could point to a server; no file name ends in this.
    limits = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}", "GDAL_NUM_THREADS": "1"}
    try:
        with rasterio.Env(**limits), catch_warnings():
            simplefilter("ignore", NotGeoreferencedWarning)
            yield
    except UserError:
        raise
    except Exception as error:  # GDAL, rasterio and the system have their own errors
        raise UserError(
            f"{source}: cannot be read as a GeoTIFF ({str(error)[:300]}); expected a complete TIFF; copy it again, or "
            "convert it with gdal_translate"
        ) from None


class RasterPixels(Pixels):
    """A GeoTIFF that is open. GDAL's datasets belong to one thread at a time."""

    def __init__(self, address: str) -> None:
        self._address, self._lock = address, Lock()
        with _gdal(address):
            self._dataset = _open(address)
            try:
                self._examine()
            except BaseException:
                self._dataset.close()
                raise

    def _examine(self) -> None:
        dataset = self._dataset
        shape = (int(dataset.height), int(dataset.width))
        check_size(self._address, shape)
        for block in dataset.block_shapes:
            check_block(self._address, (*block, dataset.count), "tile it with gdal_translate -co TILED=YES")
        self.has_place = not dataset.transform.is_identity and dataset.crs is not None
        crs = name_crs(dataset.crs, self._address) if self.has_place else GEOGRAPHIC
        a, b, c, d, e, f = (float(number) for number in dataset.transform[:6])
        self.grid = Grid(crs, (a, b, c, d, e, f), shape)
        self._bands = _bands(dataset, self._address)
        self.tags = {str(key): str(value) for key, value in dataset.tags().items()}
        self._stretch = self._choose_stretch()
        # A truncated file lacks its end: better found now than after an hour.
        self.read(slice(shape[0] - 1, shape[0]), slice(shape[1] - 1, shape[1]))

    def _choose_stretch(self) -> Stretch:
        dataset, bands = self._dataset, self._bands.colours
        stored = {
            (dataset.dtypes[band], dataset.scales[band], dataset.offsets[band], dataset.units[band]) for band in bands
        }
        if len(stored) > 1:
            raise UserError(
                f"{self._address}: its bands are stored differently ({sorted(map(str, stored))}); store all "
                "the same way"
            )
        ((dtype, scale, offset, units),) = stored
        colour = {dataset.colorinterp[band].name for band in bands} == set(COLOURS)
        self._encoding = Encoding(np.dtype(dtype), float(scale), float(offset), units or "", colour=colour)
        return choose_stretch(self._encoding, self._address, self._sample)

    def _sample(self) -> npt.NDArray[Any]:
        """Some of the stored values that were seen."""
        parts = []
        for window in sample_windows(self.grid.shape):
            values, seen = self._read_stored(window)
            parts.append(values[seen].ravel())
        return np.concatenate(parts)

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        window = Window.of(rows, columns, self.grid.shape)
        with self._lock, _gdal(self._address):
            values, seen = self._read_stored(window)
        return self._stretch(values, seen, self._address), seen

    def _read_stored(self, window: Window) -> tuple[npt.NDArray[Any], Mask]:
        """Stored values (h×w×3) and the pixels seen."""
        dataset, indexes = self._dataset, [band + 1 for band in self._bands.colours]
        values = np.moveaxis(dataset.read(indexes, window=window.slices), 0, 2)
        masks = dataset.read_masks(indexes, window=window.slices) > 0
        # A level of 0 in one band of three is a colour. A missing reflectance makes the pixel unknown.
        seen = masks.any(0) if self._encoding.is_levels else masks.all(0)
        if self._bands.alpha is not None:
            seen = seen & (dataset.read(self._bands.alpha + 1, window=window.slices) > 0)
        if values.dtype.kind == "f":
            seen = seen & np.isfinite(values).all(2)
        return values, seen

    @property
    def attributes(self) -> dict[str, str]:
        return {**self.tags, "stretch": self._stretch.description}

    def close(self) -> None:
        with self._lock:
            self._dataset.close()


def open_raster(address: str, bounds: Bounds | None, time: np.datetime64 | None, name: str | None) -> Scene:
    """A GeoTIFF → its scene. Stated bounds place a TIFF that has no place itself."""
    pixels, file_name = RasterPixels(address), PurePosixPath(address).name
    try:
        if not pixels.has_place:
            _place(pixels, bounds)
        elif bounds:
            raise UserError(f"{address}: has its own place; leave out the bounds")
        if time is None:
            time = time_in_attributes(pixels.tags) or time_in_name(file_name)
        return make_scene(pixels, Description(name or file_name, address, time, find_sensor(file_name, pixels.tags)))
    except BaseException:
        pixels.close()
        raise


def read_header(address: str) -> tuple[Shape, int]:
    """A GeoTIFF → its shape, and the number of values in its largest block. No pixel is decoded."""
    with _gdal(address), _open(address) as dataset:
        largest = max(height * width for height, width in dataset.block_shapes)
        return (int(dataset.height), int(dataset.width)), int(largest * dataset.count)


def _place(pixels: RasterPixels, bounds: Bounds | None) -> None:
    if bounds is None:
        raise UserError(
            f"{pixels._address}: a TIFF without a coordinate reference system or transform; state its place with "
            "--bounds W,S,E,N, or with gdal_edit.py -a_srs EPSG:4326 -a_ullr W N E S"
        )
    pixels.grid = Grid.from_bounds(bounds, pixels.grid.shape)
    check_square(pixels._address, pixels.grid)


def _open(address: str) -> Any:
    import rasterio

    files, path = open_storage(address)
    if "://" in address:  # the bytes come through fsspec, so GDAL never sees an address of the network
        return rasterio.open(path, driver="GTiff", opener=files)
    # An absolute path that exists: GDAL gives other names, such as /vsicurl/…, a meaning of their own.
    if not Path(path).is_file():
        raise UserError(f"{address}: no such file")
    return rasterio.open(path, driver="GTiff")


def _bands(dataset: Any, source: str) -> Bands:
    """By colour interpretation, then by the descriptions of the bands, then in their order."""
    interpretations = [interpretation.name for interpretation in dataset.colorinterp]
    alpha = interpretations.index("alpha") if "alpha" in interpretations else None
    if set(COLOURS) <= set(interpretations):
        red, green, blue = (interpretations.index(colour) for colour in COLOURS)
        return Bands(red, green, blue, alpha)
    described = choose_bands(dataset.descriptions, source)
    return described if alpha is None else described._replace(alpha=alpha)
