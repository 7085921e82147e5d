"""Names of classes in any script, on images and in figures."""

import numpy as np
import pandas as pd

from nephoscope.figures.data_profile import draw_co_occurrence, draw_images_per_class
from nephoscope.figures.lettering import shorten_name
from nephoscope.figures.overlays import write_names
from nephoscope.figures.svg import to_svg


def test_other_letters_are_written_as_themselves() -> None:
    masks, black = np.ones((1, 60, 200), bool), np.zeros((60, 200, 3), np.uint8)
    german, russian = (write_names(black, masks, [name]) for name in ("Größe", "Лёд"))
    assert (german != write_names(black, masks, ["Gr??e"])).any()
    assert (german != russian).any()
    assert german.max() > 150  # in the colour of the class
    rows = np.flatnonzero(german.any(axis=(1, 2)))
    plain = np.flatnonzero(write_names(black, masks, ["Grose"]).any(axis=(1, 2)))
    assert abs(len(rows) - len(plain)) <= 4  # as high as OpenCV's letters


def test_figures_of_many_classes_turn_and_shorten_their_names() -> None:
    names = ["雲", *(f"a class with a long name {index}" for index in range(11))]
    table = pd.DataFrame({"class_name": names, "images": 2, "empty": 3, "share": 0.4})
    figure = draw_images_per_class(table)
    assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {90}
    assert "雲" in to_svg(figure, "x", "")  # no warning about a missing character
    counts = pd.DataFrame(1, index=range(12), columns=names).assign(class_name=names)
    assert draw_co_occurrence(counts).get_figheight() > 8
    assert [label.get_text() for label in draw_images_per_class(table[:3]).axes[0].get_xticklabels()] == [
        "雲", "a class with a long…", "a class with a long…",
    ]  # fmt: skip
    assert shorten_name("short") == "short"
