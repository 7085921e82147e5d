"""What a file says of itself: attributes of NetCDF and Zarr, tags of GeoTIFF, members of JSON, a file beside tables."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nephoscope.errors import UserError, missing_extra
from nephoscope.files import read_json
from nephoscope.provenance import PROVENANCE_FILE

Attributes = dict[str, str]
HEAD = 1_000_000
"""Characters of a JSON file that are read: its attributes come first, and the rest may be large."""


def read_attributes(path: Path) -> Attributes:
    """A file or folder that nephoscope wrote → its attributes, the provenance among them."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        attributes = _reader(path)(path)
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
    except UserError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    stated = {key: str(value) for key, value in attributes.items() if isinstance(value, str | int | float)}
    if not any(name.startswith("nephoscope_") for name in stated):
        raise UserError(f"{path} does not say how it was made; expected a file or folder that nephoscope wrote")
    return stated


def _reader(path: Path) -> Callable[[Path], Mapping[str, Any]]:
    if path.is_dir() and any((path / name).is_file() for name in STORE_FILES):
        return _read_zarr
    return READERS.get(path.suffix.lower(), _read_beside) if path.is_file() else _read_beside


def _read_netcdf(path: Path) -> dict[str, Any]:
    import netCDF4

    with netCDF4.Dataset(path) as file:
        return {name: file.getncattr(name) for name in file.ncattrs()}


STORE_FILES = (".zattrs", "zarr.json")


def _read_zarr(path: Path) -> Mapping[str, Any]:
    """Attributes of the root; no array is opened, so that no codec runs."""
    first, second = (path / name for name in STORE_FILES)
    content = read_json(first if first.is_file() else second)
    if isinstance(content, dict) and not first.is_file():
        content = content.get("attributes")
    return content if isinstance(content, dict) else {}


def _read_tiff(path: Path) -> dict[str, Any]:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path, driver="GTiff") as file:
                return dict(file.tags())
        except RasterioIOError as error:
            raise OSError(str(error)) from None


def _read_json(path: Path) -> dict[str, Any]:
    """GeoJSON has the attributes as members, COCO in `info`."""
    with path.open(encoding="utf-8") as file:
        members = dict(_leading_members(file.read(HEAD)))
    info = members.pop("info", None)
    return {**members, **info} if isinstance(info, dict) else members


def _leading_members(text: str) -> Iterator[tuple[str, Any]]:
    """Members of a JSON object, until the text ends within one of them.

    >>> dict(_leading_members('{"a": 1, "b": "two", "c": [1, 2'))
    {'a': 1, 'b': 'two'}
    """
    decoder, position = json.JSONDecoder(), text.find("{") + 1
    while position > 0:
        try:
            position = _skip(text, position, " \t\r\n,")
            name, position = decoder.raw_decode(text, position)
            value, position = decoder.raw_decode(text, _skip(text, position, " \t\r\n:"))
        except (ValueError, RecursionError):  # also a number of more digits than Python converts
            return
        yield str(name), value


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _read_beside(path: Path) -> dict[str, Any]:
    """Tables and pictures: provenance.json in the folder of the results."""
    folders = (path, path.parent) if path.is_dir() else (path.parent, path.parent.parent)
    for folder in folders:
        if (folder / PROVENANCE_FILE).is_file():
            return _read_json(folder / PROVENANCE_FILE)
    raise UserError(f"{path}: there is no {PROVENANCE_FILE} in {folders[0]}, and the file has no attributes of its own")


READERS: Mapping[str, Callable[[Path], Mapping[str, Any]]] = {
    ".nc": _read_netcdf,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".geojson": _read_json,
    ".json": _read_json,
}
