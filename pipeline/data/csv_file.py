"""A CSV, plain or compressed, as text cells with the line numbers that an editor shows."""

import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.mendable import Mendable

COMPRESSIONS = ("", ".xz", ".gz", ".zip")
LONGEST_CELL = 2**26  # characters; the RLE of a chessboard at 1400×2100 fits
DAMAGE = (OSError, EOFError, RuntimeError, csv.Error, lzma.LZMAError, zlib.error, zipfile.BadZipFile)


class CsvError(Mendable):
    """The file as a whole cannot be read as a CSV."""


@dataclass(frozen=True)
class CsvFile:
    columns: list[str]
    records: list[list[str]]
    """Cells as they are written, each record as long as it really is; blank lines are left out."""
    lines: list[int]
    """The line of every record; the columns stand on line 1."""


def read_csv_file(path: Path) -> CsvFile:
    """A CSV whose name may end in .xz, .gz or .zip → its records; raises CsvError."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        with _open(path) as stream:
            reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
            columns = [name.strip() for name in next(reader, [])]
            numbered = [(record, reader.line_num) for record in reader if record]
    except UnicodeDecodeError as error:
        raise CsvError(f"not written in UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from None
    except DAMAGE as error:
        raise CsvError(f"cannot be read: {error}") from None
    if not columns:
        raise CsvError("the file is empty")
    return CsvFile(columns, [record for record, _ in numbered], [line for _, line in numbered])


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_csv(archive)) as stream:
            yield stream
    elif path.suffix == ".xz":
        with lzma.open(path) as stream:
            yield stream
    elif path.suffix == ".gz":
        with gzip.open(path) as stream:
            yield stream
    else:
        with path.open("rb") as stream:
            yield stream


def _only_csv(archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if name.endswith(".csv") and not name.startswith("__MACOSX")]
    if len(names) != 1:
        raise CsvError(f"the archive holds {len(names)} CSV files; one is expected")
    return names[0]
