"""Regular files: read within a limit, and with their place on the disk reserved."""

import os
import stat
from contextlib import suppress
from errno import EDQUOT, EFBIG, EINVAL, ENOSPC
from pathlib import Path

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def read_file(path: Path | str, most_bytes: int) -> bytes:
    """The content of a regular file; raises OSError for anything else, and for a larger file.

    A pipe would block, and a device may never end.
    """
    # The opened file is examined, not the path, which may be replaced in between.
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            kind = KINDS.get(stat.S_IFMT(status.st_mode), "no file")
            raise OSError(EINVAL, f"{kind}; expected a regular file", str(path))
        content = b"" if status.st_size > most_bytes else file.read(most_bytes + 1)
        if max(status.st_size, len(content)) > most_bytes:
            raise too_large(status.st_size, most_bytes, str(path))
        return content


def too_large(size: int, most_bytes: int, name: str) -> OSError:
    return OSError(EFBIG, f"{size / 1e6:.0f} MB; at most {most_bytes / 1e6:.0f} MB are read", name)


def _open_at_once(path: str, flags: int) -> int:
    """A pipe would wait for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def reserve(path: Path) -> None:
    """Take the place of a file on the disk. A sparse file that is mapped would end the process where the disk is full.

    Raises OSError if there is no place. File systems that cannot reserve are left as they are.
    """
    with path.open("r+b") as file, suppress(AttributeError):  # Windows has no such call
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno in (ENOSPC, EDQUOT, EFBIG):
                raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
