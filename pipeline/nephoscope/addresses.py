"""Addresses: a local path, or anything that fsspec opens, such as s3://bucket/picture.jpg."""

from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem, make_path_posix

from nephoscope.errors import UserError
from nephoscope.regular_files import read_file, too_large


def open_storage(address: str) -> tuple[Any, str]:
    """An address → its file system and the path there.

    Without `://` it is a local path. fsspec would read "a::b.jpg" as a chain of file systems and open "a".
    """
    if "://" not in address:
        return LocalFileSystem(), make_path_posix(address)
    try:
        files, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise UserError(f"{address}: {error}") from None
    return files, path


def read_bytes(address: str, most_bytes: int | None = None) -> bytes:
    """The content of a file. With a limit, a larger file raises OSError, and so does a pipe or a device."""
    files, path = open_storage(address)
    if most_bytes is None:
        content: bytes = files.cat_file(path)
        return content
    if isinstance(files, LocalFileSystem):
        return read_file(path, most_bytes)
    size = files.size(path)  # None if the server does not say
    if size is not None and size > most_bytes:
        raise too_large(size, most_bytes, address)
    return bytes(files.cat_file(path))
