"""Files at a local path or at any fsspec address: find and read images, write results completely or not at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from glob import escape
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, Any
from uuid import uuid4

from fsspec.implementations.local import LocalFileSystem, make_path_posix

from nephoscope.addresses import open_storage as open_storage
from nephoscope.addresses import read_bytes as read_bytes
from nephoscope.data.images import ENDINGS
from nephoscope.earth.reading.open import ENDINGS as SCENE_ENDINGS
from nephoscope.errors import UserError
from nephoscope.files import UNFINISHED, atomic_write, hold, remove_leftovers

ZARR = ".zarr"
READ_ENDINGS = ENDINGS + SCENE_ENDINGS
LOCK = ".lock"
"""The file in a folder of results that a run holds."""


def make_folder(address: str) -> None:
    """Create a folder for results, if it is missing."""
    files, path = open_storage(address)
    try:
        files.makedirs(path, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{address}: results cannot be written there ({reason}); choose another folder with --out"
        ) from None


@contextmanager
def hold_folder(address: str) -> Iterator[None]:
    """Create a folder for results, and keep other runs out of it. At an address with `://` nothing can be held."""
    make_folder(address)
    files, path = open_storage(address)
    with hold(Path(path, LOCK)) if isinstance(files, LocalFileSystem) else nullcontext():
        yield


@contextmanager
def atomic_open(address: str) -> Iterator[IO[str]]:
    """Open a text file that appears at `address` only once it is complete.

    The temporary name is unique: two workers of a cluster may write the same shard, if one was given up too early.
    """
    files, path = open_storage(address)
    # File names may not be valid UTF-8; such characters are escaped.
    text: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
    if isinstance(files, LocalFileSystem):
        with atomic_write(Path(path)) as part, part.open("w", **text) as file:
            yield file
        return
    unfinished = str(PurePosixPath(path).with_name(f"{UNFINISHED}{uuid4().hex}"))
    try:
        with files.open(unfinished, "w", **text) as file:
            yield file
        files.mv(unfinished, path)
    except BaseException:
        with suppress(FileNotFoundError):
            files.rm_file(unfinished)
        raise


def list_folder(address: str) -> list[PurePosixPath]:
    """What a folder holds; empty if there is none. In a local folder, files of killed runs are removed."""
    files, path = open_storage(address)
    try:
        if isinstance(files, LocalFileSystem):
            remove_leftovers(Path(path))
        paths = [PurePosixPath(name) for name in files.ls(path, detail=False, refresh=True)]
    except FileNotFoundError:  # an object store has no empty folders
        return []
    return [path for path in paths if not path.name.startswith(UNFINISHED)]


VERSION_KEYS = ("size", "mtime", "LastModified", "last_modified", "ETag", "etag")
"""What storages say of a file's version."""


def stamp(address: str) -> str:
    """Size and time of a file, or what its storage says instead: another stamp, another content.

    Empty if the storage says nothing, or if there is no such file. A Zarr store has the stamp of all its files.
    """
    try:
        files, path = open_storage(address)
        info = files.info(path)
        if info["type"] != "directory":
            return _describe_version(info)
        versions = [f"{name} {_describe_version(part)}" for name, part in files.find(path, detail=True).items()]
    except Exception:  # every protocol has its own errors
        return ""
    return sha256("\n".join(sorted(versions)).encode("utf-8", "surrogateescape")).hexdigest()


def _describe_version(info: Mapping[str, Any]) -> str:
    return " ".join(str(info[key]) for key in VERSION_KEYS if info.get(key) is not None)


def find_pictures(pictures: Sequence[str]) -> list[str]:
    """Files, folders (their JPEG and PNG files) and patterns like `data/*.jpg` → addresses, sorted by file name."""
    addresses = {address for given in pictures for address in _expand(given)}
    by_name: dict[str, str] = {}
    for address in addresses:
        other = by_name.setdefault(PurePosixPath(address).name, address)
        if other != address:
            raise UserError(
                f"{other} and {address} have the same file name, which identifies results; predict them separately"
            )
    return [by_name[name] for name in sorted(by_name)]


def _expand(given: str) -> list[str]:
    files, path = open_storage(given)
    try:
        paths = _list_pictures(files, path)
    except Exception as error:  # every protocol has its own errors
        raise UserError(f"{given}: cannot be listed: {error or type(error).__name__}") from error
    if not paths:
        raise UserError(_explain_nothing(files, path, given))
    return [files.unstrip_protocol(path) if "://" in given else path for path in paths]


def _explain_nothing(files: Any, path: str, given: str) -> str:
    """Why there is no image at an address."""
    endings = ", ".join(ENDINGS)
    if not files.exists(path):
        if any(wildcard in path for wildcard in "*?["):
            return f"{given}: no file matches this pattern; check it, and quote it so that the shell does not expand it"
        return f"{given}: no such file or folder; give an image, a folder of images, or a pattern such as 'data/*.jpg'"
    names = sorted(PurePosixPath(name).name for name in _visible_files(files.ls(path, detail=True)))
    if not names:
        return f"{given}: an empty folder; for images in subfolders give a pattern such as '{given}/*/*.jpg'"
    return (
        f"{given}: none of the {len(names)} files in this folder ends in {endings}; the first is {names[0]}. "
        f"To predict files with other endings, give a pattern such as '{given}/*'"
    )


def _list_pictures(files: Any, path: str) -> list[str]:
    if PurePosixPath(path).suffix.lower() == ZARR and files.exists(path):  # a folder that is one file to its users
        return [path]
    if files.isdir(path):
        entries = files.ls(path, detail=True)
        return [name for name in _visible_files(entries) if PurePosixPath(name).suffix.lower() in READ_ENDINGS]
    if files.exists(path):  # a file name may contain the characters of a pattern
        return [path]
    if not any(wildcard in path for wildcard in "*?["):
        return []
    # A relative pattern was made absolute; the working folder's own name is not part of the pattern.
    here = make_path_posix("")
    if isinstance(files, LocalFileSystem) and path.startswith(here):
        path = escape(here) + path.removeprefix(here)
    return _visible_files(files.glob(path, detail=True).values())


def _visible_files(entries: Iterable[dict[str, Any]]) -> list[str]:
    """Files and Zarr stores, without hidden ones such as ._a.jpg, which macOS writes beside a.jpg."""
    named = ((str(entry["name"]), entry["type"]) for entry in entries)
    paths = (name for name, kind in named if kind != "directory" or name.lower().endswith(ZARR))
    return [path for path in paths if not PurePosixPath(path).name.startswith(".")]
