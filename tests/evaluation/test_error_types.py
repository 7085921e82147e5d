"""What became of a class in a picture, by areas and Dice."""

import pandas as pd

from nephoscope.evaluation.error_types import count_error_types, error_types_of

JUDGEMENTS = pd.DataFrame(
    [
        ("a.jpg", "Sugar", 5, 0, 0.0),
        ("a.jpg", "Fish", 0, 5, 0.0),
        ("b.jpg", "Sugar", 5, 5, 0.49),
        ("b.jpg", "Fish", 5, 5, 0.5),
        ("c.jpg", "Sugar", 0, 0, 1.0),
        ("c.jpg", "Fish", 5, 5, 1.0),
    ],
    columns=["image_id", "class_name", "truth_area", "predicted_area", "dice"],
)


def test_every_pair_of_picture_and_class_is_of_one_kind() -> None:
    error_types = ["missed", "false alarm", "poor overlap", "right", "rightly empty", "right"]
    assert error_types_of(JUDGEMENTS).tolist() == error_types


def test_kinds_are_counted_per_class_in_the_order_of_classes() -> None:
    counts = count_error_types(JUDGEMENTS)
    assert list(counts) == ["class_name", "missed", "false alarm", "poor overlap", "right", "rightly empty"]
    assert counts.to_numpy().tolist() == [["Sugar", 1, 0, 1, 0, 1], ["Fish", 0, 1, 0, 2, 0]]
