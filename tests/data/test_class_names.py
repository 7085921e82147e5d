"""Names of classes that cannot be used, and the formats made of those that can."""

import pytest

from nephoscope.data.class_names import check_class_names, normalise
from nephoscope.data.formats import own_format
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no classes"),
        ([f"c{index}" for index in range(33)], "33 classes; at most 32"),
        (["a", ""], "'' is empty"),
        (["../../etc/passwd"], "contains '/'"),
        (["a\\b"], "contains"),
        (["a\nb"], "contains '\\\\n'"),
        (["$x$"], "contains '\\$'"),
        (["a\udcff"], "contains '\\\\udcff'"),
        (["a "], "spaces at an end"),
        (["Zu\u0308rich"], "decomposed accents"),
        ([".."], "begins with '.'"),
        (["_hidden"], "begins with '_'"),
        (["å" * 31], "longer than 60 bytes"),
        (["Mean"], "a word that the tables use"),
        (["fish", "Fish"], "'fish' and 'Fish' differ in capitals only"),
        (["fish", "fish"], "'fish' and 'fish' differ in capitals only"),
        (["STRASSE", "straße"], "differ in capitals only"),
    ],
)
def test_names_that_break_files_or_tables_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_class_names(names)


def test_other_names_are_accepted() -> None:
    check_class_names(["open water", "Überschwemmung", "雲", "1", "nan", "a_b", "sea-ice (old)", "50% cover", "+"])
    assert normalise(" Zu\u0308rich ") == "Zürich"


def test_a_format_of_own_data_comes_from_its_metadata() -> None:
    metadata = Metadata("masks", ("ice", "open water"), (140, 210), (70, 105), (64, 96), nodata=False)
    data_format = Metadata.from_dict(metadata.to_dict()).data_format
    assert (data_format.classes, data_format.output_shape, data_format.nodata) == (metadata.classes, (70, 105), False)
    assert data_format.submission_columns == ("image_id", "class_name", "rle")
    assert data_format.submission_row("a_b.png", "open water", "1 2") == ("a_b.png", "open water", "1 2")
    with pytest.raises(UserError, match="the format 'cirrus' is unknown; known are clouds, severstal, boxes"):
        own_format("cirrus", ("a",), (1, 1), (1, 1), nodata=True)
