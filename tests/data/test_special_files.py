"""Pipes, devices and huge files: each has a problem, and nothing waits or fills the memory."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nephoscope.batch.pictures import Reader
from nephoscope.batch.storage import find_pictures
from nephoscope.data.formats import CLOUDS
from nephoscope.data.images import MOST_BYTES, ImageError, read_image
from nephoscope.data.labels import LONGEST_LINE, CsvError, read_csv_file
from nephoscope.data.manifest import Metadata
from tests.builders.datasets import cloud_rows, find_problems, write_clouds

METADATA = Metadata("clouds", CLOUDS.classes, CLOUDS.rle_shape, CLOUDS.output_shape, (16, 24))


def make_sparse(path: Path) -> None:
    """4 GB that take no place on the disk."""
    with path.open("wb") as file:
        file.truncate(4_000_000_000)


SPECIAL: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "pipe": (os.mkfifo, "unreadable_picture", "a named pipe; expected a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "unreadable_picture", "a device; expected a regular file"),
    "folder": (Path.mkdir, "unreadable_picture", "Is a directory"),
    "sparse": (make_sparse, "oversized_picture", "4000 MB; at most 400 MB are read"),
    "link to nothing": (lambda path: path.symlink_to("gone"), "unreadable_picture", "No such file or directory"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_special_file_in_a_data_set_is_a_problem(tmp_path: Path, kind: str) -> None:
    make, problem, message = SPECIAL[kind]
    root = write_clouds(tmp_path, [*cloud_rows("a.jpg"), *cloud_rows("b.jpg")], ["a.jpg"])
    make(root / "train_images" / "b.jpg")
    assert find_problems(root, tmp_path) == [f"train_images/b.jpg: {problem}: cannot be opened: {message}"]


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_special_file_in_a_batch_is_a_problem(tmp_path: Path, kind: str) -> None:
    make, _, message = SPECIAL[kind]
    make(tmp_path / "b.jpg")
    assert Reader(METADATA)(str(tmp_path / "b.jpg")) == f"cannot be opened: {message}"


def test_a_pipe_is_listed_so_that_the_table_of_problems_names_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "b.jpg")
    assert [Path(address).name for address in find_pictures([str(tmp_path)])] == ["b.jpg"]


def test_a_file_that_says_no_size_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """Files of the kernel have size 0, whatever they hold."""
    path = tmp_path / "a.jpg"
    path.symlink_to("/proc/self/status")
    with pytest.raises(ImageError, match="neither a JPEG nor a PNG; it begins with b'Name"):
        read_image(path)


def test_the_limit_admits_the_largest_picture() -> None:
    assert MOST_BYTES > 3 * 100_000_000


def test_a_csv_without_line_breaks_is_refused_early(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "train.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(4):
            file.write(bytes(LONGEST_LINE // 2))
    with pytest.raises(CsvError, match=rf"a line has {LONGEST_LINE} characters or more; is it a CSV\?"):
        read_csv_file(tmp_path / "train.csv.gz")
