"""Finding and reading images at local paths and fsspec addresses."""

from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nephoscope.batch.outputs import encode_overlay
from nephoscope.batch.pictures import Reader
from nephoscope.batch.storage import find_pictures
from nephoscope.data.formats import CLOUDS
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from tests.builders.batch_runs import decided

METADATA = Metadata("clouds", CLOUDS.classes, CLOUDS.rle_shape, CLOUDS.output_shape, (16, 24))


def names(*pictures: Path) -> list[str]:
    return [Path(address).name for address in find_pictures([str(path) for path in pictures])]


def test_images_are_found_in_folders_and_by_patterns(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a.PNG", "b.jpg"]
    assert names(tmp_path / "*.jpg", tmp_path / "a.PNG") == ["a.PNG", "b.jpg"]


def test_a_file_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "c[1].jpg").touch()
    assert names(tmp_path / "c[1].jpg") == ["c[1].jpg"]


def test_the_message_says_why_there_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "texts" / name).touch()
    for given, message in {
        "c.jpg": r"c\.jpg: no such file or folder; give an image",
        "*.jpg": r"\*\.jpg: no file matches this pattern",
        "empty": r"empty: an empty folder; .* '.*/empty/\*/\*\.jpg'",
        "texts": r"texts: none of the 2 files in this folder ends in \.jpg, .*; the first is a\.txt\.",
    }.items():
        with pytest.raises(UserError, match=message):
            names(tmp_path / given)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("b.jpg", "more/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="have the same file name, which identifies results; predict them separately"):
        names(tmp_path, tmp_path / "more")


def test_hidden_files_and_folders_are_ignored_unless_named(tmp_path: Path) -> None:
    for name in ("a.jpg", "._a.jpg", "more/b.jpg", "more/.b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert names(tmp_path) == names(tmp_path / "*.jpg") == ["a.jpg"]
    assert names(tmp_path / "**") == ["a.jpg", "b.jpg"]
    assert names(tmp_path / "._a.jpg") == ["._a.jpg"]


def test_the_name_of_the_working_folder_is_no_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run[1]" / "pictures").mkdir(parents=True)
    (tmp_path / "run[1]" / "pictures" / "a.jpg").touch()
    monkeypatch.chdir(tmp_path / "run[1]")
    for pattern in ("pictures/*.jpg", "./pictures/?.jpg"):
        assert [Path(address).name for address in find_pictures([pattern])] == ["a.jpg"]


class Unreachable(MemoryFileSystem):
    """A file system whose errors are no OSError."""

    protocol = "unreachable"

    def info(self, path: str, **_: object) -> dict[str, object]:
        raise RuntimeError(f"{path}: 503, message='Service Unavailable'")

    def cat_file(self, path: str, *_: object, **__: object) -> bytes:
        raise RuntimeError(f"{path}: 503, message='Service Unavailable'")


def test_errors_of_a_protocol_become_messages() -> None:
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    with pytest.raises(UserError, match=r"unreachable://in/\*\.jpg: cannot be listed: .*503"):
        find_pictures(["unreachable://in/*.jpg"])
    assert "503, message='Service Unavailable'" in str(Reader(METADATA)("unreachable://in/a.jpg"))


def test_a_local_name_with_colons_is_no_chain_of_addresses(tmp_path: Path) -> None:
    black, white = (cv2.imencode(".png", np.full((350, 525, 3), level, np.uint8))[1].tobytes() for level in (0, 255))
    (tmp_path / "a.png").write_bytes(black)
    (tmp_path / "a.png::b.png").write_bytes(white)
    (address,) = find_pictures([str(tmp_path / "a.png::b.png")])
    picture = Reader(METADATA)(address)
    assert isinstance(picture, tuple)
    assert picture[0].min() == 255
    overlay = encode_overlay(decided(address, ("", "", "", "")), CLOUDS, {})["a.png::b.png_overlay.jpg"]
    decoded = cv2.imdecode(np.frombuffer(overlay, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.min() > 250
