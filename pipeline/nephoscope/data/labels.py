"""Reading and checking the CSV of labels, plain or compressed. Problems carry the line numbers of an editor."""

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
from typing import IO, Any

import pandas as pd

from nephoscope.data.formats import LABELS_FILE, Format, Layout
from nephoscope.data.problems import DataProblemsError, Problem, ProblemKind
from nephoscope.errors import UserError
from nephoscope.masks.rle import RleError, Shape, parse_runs

COMPRESSIONS = ("", ".xz", ".gz", ".zip")
LONGEST_LINE = 2**26  # characters; enough for the longest RLE at 1400×2100
MOST_BYTES = 2**30
"""Of a CSV without its compression: a small archive may hold terabytes. That of the competition has 175 million."""
DAMAGE = (OSError, EOFError, RuntimeError, csv.Error, lzma.LZMAError, zlib.error, zipfile.BadZipFile)


class CsvError(UserError):
    """The file cannot be read as a CSV."""


@dataclass(frozen=True)
class CsvFile:
    columns: list[str]
    records: list[list[str]]
    """The cells of every record, which may have too few or too many. Blank lines are left out."""
    lines: list[int]
    """The line number of every record; the header is line 1."""


def read_csv_file(path: Path) -> CsvFile:
    """A CSV, plain or with the suffix .xz, .gz or .zip → its records; raises CsvError."""
    csv.field_size_limit(LONGEST_LINE)
    try:
        with _open(path) as stream:
            text = io.TextIOWrapper(io.BufferedReader(_Bounded(stream)), "utf-8-sig", newline="")
            reader = csv.reader(_read_lines(text), strict=True)
            columns = [name.strip() for name in next(reader, [])]
            numbered = [(record, reader.line_num) for record in reader if record]
    except UnicodeDecodeError as error:
        raise CsvError(f"not written in UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from None
    except DAMAGE as error:
        raise CsvError(f"cannot be read: {error}") from None
    if not columns:
        raise CsvError("the file is empty")
    return CsvFile(columns, [record for record, _ in numbered], [line for _, line in numbered])


class _Bounded(io.RawIOBase):
    """A stream of which at most MOST_BYTES are read."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream, self._left = stream, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise CsvError(f"more than {MOST_BYTES} bytes; split the data set, or remove columns")
        buffer[: len(content)] = content
        return len(content)


def _read_lines(text: IO[str]) -> Iterator[str]:
    """A file without line breaks, which may be small if compressed, would fill the memory as one line."""
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise CsvError(f"a line has {LONGEST_LINE} characters or more; is it a CSV?")
        yield line


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
        raise CsvError(f"the archive holds {len(names)} CSV files; expected one")
    return names[0]


@dataclass(frozen=True)
class Labels:
    file: str
    table: pd.DataFrame
    """image_id, class_name, rle, row, in the order of the CSV."""
    every_class: bool
    """True: an image without rows is a problem. False: it has no masks."""


def read_labels(root: Path, data_format: Format, problems: list[Problem]) -> Labels:
    """Find and read the CSV. Adds problems of rows to the list; raises DataProblemsError for problems of the file."""
    path = _find(root, problems)
    try:
        content = read_csv_file(path)
    except CsvError as error:
        raise _refusal(problems, "unreadable_labels", path.name, str(error)) from None
    layout = next((layout for layout in data_format.layouts if set(layout.columns) <= set(content.columns)), None)
    if layout is None:
        expected = " or ".join(", ".join(layout.columns) for layout in data_format.layouts)
        message = f"the columns are {', '.join(content.columns)[:200]}; expected: {expected}"
        raise _refusal(problems, "missing_column", path.name, message)
    table = _to_table(content, layout)
    problems += _check_rows(table, content, path.name, data_format)
    if layout.every_class:
        problems += _check_complete(table, path.name, data_format.classes)
    return Labels(path.name, table, layout.every_class)


def _find(root: Path, problems: list[Problem]) -> Path:
    candidates = [root / f"{LABELS_FILE}{compression}" for compression in COMPRESSIONS]
    paths = [path for path in candidates if path.is_file()]
    if not paths:
        message = f"no such file in {root}, nor with the suffixes {', '.join(COMPRESSIONS[1:])}"
        raise _refusal(problems, "missing_labels", LABELS_FILE, message)
    if len(paths) > 1:
        message = f"found {', '.join(path.name for path in paths)}; keep only one of them"
        raise _refusal(problems, "unreadable_labels", LABELS_FILE, message)
    return paths[0]


def _refusal(problems: list[Problem], kind: ProblemKind, file: str, message: str) -> DataProblemsError:
    problems.append(Problem(kind, file, None, message))
    return DataProblemsError(problems)


def _to_table(content: CsvFile, layout: Layout) -> pd.DataFrame:
    indices = [content.columns.index(column) for column in layout.columns]
    # Missing cells of a short record become empty; _check_rows reports the record.
    cells = [[record[index] if index < len(record) else "" for index in indices] for record in content.records]
    table = layout.keys(pd.DataFrame(cells, columns=list(layout.columns), dtype=str))
    return table.assign(row=content.lines)


def _check_rows(table: pd.DataFrame, content: CsvFile, file: str, data_format: Format) -> list[Problem]:
    """The first problem of every row that has one."""
    problems = []
    first_rows: dict[tuple[str, str], int] = {}
    kind: ProblemKind
    rows = zip(table["image_id"], table["class_name"], table["rle"], content.lines, content.records, strict=True)
    for image_id, class_name, rle, row, record in rows:
        if len(record) != len(content.columns):
            kind, message = "malformed_row", f"{len(record)} cells, but {len(content.columns)} columns"
        elif class_name not in data_format.classes:
            known = ", ".join(data_format.classes)
            kind, message = "unknown_class", f"{class_name!r} of {image_id!r}; known: {known}"
        elif (first := first_rows.setdefault((image_id, class_name), row)) != row:
            kind, message = "duplicate_row", f"{class_name} of {image_id} is already on line {first}"
        elif reason := _explain_rle(rle, data_format.rle_shape):
            kind, message = "bad_rle", f"{class_name} of {image_id}: {reason}"
        else:
            continue
        problems.append(Problem(kind, file, row, message, image_id))
    return problems


def _explain_rle(rle: str, shape: Shape) -> str:
    try:
        parse_runs(rle, shape)
    except RleError as error:
        return str(error)
    return ""


def _check_complete(table: pd.DataFrame, file: str, classes: tuple[str, ...]) -> list[Problem]:
    """Images with rows, but not for every class."""
    problems = []
    for image_id, rows in table.groupby("image_id", sort=False):
        missing = [name for name in classes if name not in set(rows["class_name"])]
        if missing:
            message = f"{image_id} has no row for {', '.join(missing)}"
            problems.append(Problem("missing_row", file, int(rows["row"].iloc[-1]), message, str(image_id)))
    return problems
