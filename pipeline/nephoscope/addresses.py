"""Addresses: a local path, or anything that fsspec opens, such as s3://bucket/picture.jpg."""

from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem, make_path_posix

from nephoscope.errors import UserError


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


def read_bytes(address: str) -> bytes:
    files, path = open_storage(address)
    content: bytes = files.cat_file(path)
    return content
