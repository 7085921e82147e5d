"""JPEG and PNG with a place: a world file beside the picture, bounds in its name, or bounds that somebody states."""

from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from nephoscope.addresses import open_storage, read_bytes
from nephoscope.data.images import ENDINGS, ImageError, decode_image, read_shape
from nephoscope.data.images import MOST_BYTES as MOST_PICTURE_BYTES
from nephoscope.earth.grid import GEOGRAPHIC, Bounds, Grid, Transform
from nephoscope.earth.reading.names import bounds_in_name, find_sensor, time_in_name
from nephoscope.earth.reading.pixels import Pixels, Window
from nephoscope.earth.reading.placing import Description, check_square, make_scene
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError, reason_of
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape

WORLD_ENDINGS = {
    ".jpg": (".jgw", ".jpgw", ".wld"),
    ".jpeg": (".jgw", ".jpegw", ".jpgw", ".wld"),
    ".png": (".pgw", ".pngw", ".wld"),
}
MOST_BYTES = 100_000
"""Of a world file or a .prj file. Usual are a hundred."""


class PicturePixels(Pixels):
    """A decoded picture. It is in memory as a whole, which the limit for pictures bounds."""

    def __init__(self, image: Image, grid: Grid) -> None:
        self._image, self.grid = image, grid

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        window = Window.of(rows, columns, self.grid.shape)
        return self._image[window.slices].copy(), np.ones(window.shape, bool)


def is_picture(address: str) -> bool:
    return PurePosixPath(address).suffix.lower() in ENDINGS


def has_place(address: str, bounds: Bounds | None) -> bool:
    """Whether a JPEG or PNG can be placed. Only names are looked at."""
    return bounds is not None or bounds_in_name(PurePosixPath(address).name) is not None or bool(world_file(address))


def open_picture(address: str, bounds: Bounds | None, time: np.datetime64 | None, name: str | None) -> Scene | None:
    """A JPEG or PNG → its scene; None if it has no place. Stated bounds win over a world file, this over the name."""
    file_name = PurePosixPath(address).name
    world = None if bounds else world_file(address)
    bounds = bounds or (None if world else bounds_in_name(file_name))
    if world is None and bounds is None:
        return None
    image = _decode(address)
    shape = (image.shape[0], image.shape[1])
    grid = _grid_of_world_file(world, shape) if world else Grid.from_bounds(bounds or (0, 0, 0, 0), shape)
    if world is None:
        check_square(address, grid)
    when = time_in_name(file_name) if time is None else time
    return make_scene(PicturePixels(image, grid), Description(name or file_name, address, when, find_sensor(file_name)))


def _decode(address: str) -> Image:
    """In full resolution, so that a GeoTIFF of the same pixels gives the same result."""
    try:
        content = read_bytes(address, MOST_PICTURE_BYTES)
    except Exception as error:  # every protocol has its own errors
        raise UserError(f"{address}: cannot be read: {reason_of(error)}") from None
    try:
        image = decode_image(content)
    except ImageError as error:
        raise UserError(f"{address}: {error}") from None
    if image.shape[:2] != read_shape(content):
        raise UserError(f"{address}: its EXIF data rotate it, so its place is not clear; save it upright, without EXIF")
    return image


def world_file(address: str) -> str | None:
    """The address of the world file beside a picture."""
    return _beside(address, WORLD_ENDINGS.get(PurePosixPath(address).suffix.lower(), ()))


def _beside(address: str, endings: tuple[str, ...]) -> str | None:
    stem, dot, _ = address.rpartition(".")
    for candidate in (f"{stem}{ending}" for lower in endings if dot for ending in (lower, lower.upper())):
        if "://" not in address:
            if Path(candidate).is_file():
                return candidate
        elif PurePosixPath(candidate).name in _list_folder(candidate.rpartition("/")[0]):
            return candidate
    return None


@lru_cache(maxsize=8)
def _list_folder(address: str) -> frozenset[str]:
    """Names in a remote folder: one request for a batch of pictures instead of several for each of them."""
    files, path = open_storage(address)
    try:
        return frozenset(PurePosixPath(entry).name for entry in files.ls(path, detail=False))
    except Exception:  # a server that does not list has no world files for us
        return frozenset()


def _grid_of_world_file(address: str, shape: Shape) -> Grid:
    """Six lines: width of a cell, two rotations, height of a cell (negative), centre of the upper left pixel."""
    lines = _read_text(address).split()
    try:
        a, d, b, e, x, y = (float(line.replace(",", ".")) for line in lines)
    except ValueError:
        raise UserError(f"{address}: expected six numbers, one a line, found {' '.join(lines)[:80]!r}") from None
    if not np.isfinite([a, b, d, e, x, y]).all() or a * e - b * d == 0:
        raise UserError(f"{address}: {' '.join(lines)[:80]!r} describes no grid; the size of a cell must not be 0")
    transform: Transform = (a, b, x - a / 2 - b / 2, d, e, y - d / 2 - e / 2)
    projection = _beside(address, (".prj",))
    if projection is None:
        return Grid(GEOGRAPHIC, transform, shape)
    from nephoscope.earth.reading.reference_systems import name_crs

    return Grid(name_crs(_read_text(projection), projection), transform, shape)


def _read_text(address: str) -> str:
    try:
        content = read_bytes(address, MOST_BYTES)
    except Exception as error:  # every protocol has its own errors
        message = f"{address}: cannot be read as a short text that places the picture: {reason_of(error)}"
        raise UserError(message) from None
    return content.decode("utf-8", "replace").strip()
