"""The CSV of labels in every layout and compression."""

import gzip
import lzma
import zipfile

import pytest

from nephoscope.data.formats import FORMATS
from nephoscope.data.labels import CsvError, read_csv_file, read_labels

JOINED = "ImageId_ClassId,EncodedPixels\na.jpg_1,1 2\na.jpg_2,\na.jpg_3,\na.jpg_4,9 1\n"
SPLIT = "ImageId,ClassId,EncodedPixels\na.jpg,1,1 2\na.jpg,4,9 1\n"


@pytest.mark.parametrize(("text", "every_class"), [(JOINED, True), (SPLIT, False)])
def test_both_layouts_of_steel_give_the_same_labels(tmp_path, text, every_class):
    (tmp_path / "train.csv").write_text(text)
    problems = []
    labels = read_labels(tmp_path, FORMATS["severstal"], problems)
    table = labels.table[labels.table["rle"] != ""]
    assert problems == []
    assert labels.every_class == every_class
    assert table[["image_id", "class_name", "rle"]].to_numpy().tolist() == [
        ["a.jpg", "1", "1 2"],
        ["a.jpg", "4", "9 1"],
    ]


def test_rows_have_the_line_numbers_of_an_editor(tmp_path):
    (tmp_path / "train.csv").write_text("\ufeff ImageId ,ClassId,EncodedPixels\r\n\r\na.jpg,1,1 2\r\nb.jpg,2,3 4\r\n")
    labels = read_labels(tmp_path, FORMATS["severstal"], [])
    assert labels.table["row"].tolist() == [3, 4]


def test_additional_columns_and_underscores_in_names_are_accepted(tmp_path):
    (tmp_path / "train.csv").write_text(
        "index,Image_Label,EncodedPixels\n" + "".join(f"{i},a_b.jpg_{name},\n" for i, name in enumerate(CLOUD_CLASSES))
    )
    problems = []
    labels = read_labels(tmp_path, FORMATS["clouds"], problems)
    assert problems == []
    assert set(labels.table["image_id"]) == {"a_b.jpg"}
    assert tuple(labels.table["class_name"]) == CLOUD_CLASSES


CLOUD_CLASSES = FORMATS["clouds"].classes


def write_zip(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.csv", content)
        archive.writestr("__MACOSX/._train.csv", b"")


WRITERS = {
    ".csv": lambda path, content: path.write_bytes(content),
    ".xz": lambda path, content: path.write_bytes(lzma.compress(content)),
    ".gz": lambda path, content: path.write_bytes(gzip.compress(content)),
    ".zip": write_zip,
}


@pytest.mark.parametrize("ending", WRITERS)
def test_every_compression_is_read(tmp_path, ending):
    path = tmp_path / f"train{ending}"
    WRITERS[ending](path, SPLIT.encode())
    content = read_csv_file(path)
    assert content.columns == ["ImageId", "ClassId", "EncodedPixels"]
    assert content.records == [["a.jpg", "1", "1 2"], ["a.jpg", "4", "9 1"]]


@pytest.mark.parametrize("ending", [".xz", ".gz", ".zip"])
@pytest.mark.parametrize("damage", [lambda content: content[::-1], lambda content: content[: len(content) // 2]])
def test_damaged_compression_is_a_clear_error(tmp_path, ending, damage):
    path = tmp_path / f"train.csv{ending}"
    WRITERS[ending](path, SPLIT.encode())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CsvError, match="cannot be read"):
        read_csv_file(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"Image_Label\n\xff\xfe", "not written in UTF-8"),
        (b'Image_Label\n"never closed\n', "cannot be read: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_csv_is_a_clear_error(tmp_path, content, message):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(CsvError, match=message):
        read_csv_file(path)


def test_an_archive_with_several_csvs_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "train.csv.zip", "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")
    with pytest.raises(CsvError, match="holds 2 CSV files"):
        read_csv_file(tmp_path / "train.csv.zip")


def test_submission_rows_have_the_layout_of_the_competition():
    assert FORMATS["clouds"].submission_columns == ("Image_Label", "EncodedPixels")
    assert FORMATS["clouds"].submission_row("0031ae9.jpg", "Fish", "") == ("0031ae9.jpg_Fish", "")
    assert FORMATS["severstal"].submission_columns == ("ImageId_ClassId", "EncodedPixels")
    assert FORMATS["severstal"].submission_row("0002cc93b.jpg", "1", "1 2") == ("0002cc93b.jpg_1", "1 2")
