"""Where files lie: a local path, or any address that fsspec knows."""

from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem, make_path_posix

from nephoscope.errors import UserError


def open_storage(address: str) -> tuple[Any, str]:
    """Its file system, and the path there.

    Without `://` it is a local path, whatever it holds: fsspec would take "a::b.jpg" for a chain, and read "a".
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


def make_folder(address: str) -> None:
    """For results, where there is none yet."""
    files, path = open_storage(address)
    try:
        files.makedirs(path, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise UserError(
            f"{address}: results cannot be written there ({why}); choose another folder with --out"
        ) from None
