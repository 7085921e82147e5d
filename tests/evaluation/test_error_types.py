"""Error types, and the worst errors of presence."""

import pandas as pd

from nephoscope.evaluation.error_types import count_error_types, error_types_of, find_worst_errors
from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules

SCORES = pd.DataFrame(
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


def test_every_image_and_class_has_one_error_type() -> None:
    error_types = ["missed", "false alarm", "poor overlap", "right", "rightly empty", "right"]
    assert error_types_of(SCORES).tolist() == error_types


def test_error_types_are_counted_per_class() -> None:
    counts = count_error_types(SCORES)
    assert list(counts) == ["class_name", "missed", "false alarm", "poor overlap", "right", "rightly empty"]
    assert counts.to_numpy().tolist() == [["Sugar", 1, 0, 1, 0, 1], ["Fish", 0, 1, 0, 2, 0]]


def rules(*thresholds: float) -> Rules:
    plain = (Calibration(),) * len(thresholds)
    return Rules(
        classes=("Fish", "Sugar")[: len(thresholds)],
        output_shape=(350, 525),
        inference_settings=InferenceSettings(),
        classifier_weight=1,
        classifier_calibrations=plain,
        top_fraction_calibrations=plain,
        rules=tuple(Rule(presence_threshold=threshold, pixel_threshold=128, min_area=0) for threshold in thresholds),
    )


def scores(*rows: tuple[str, str, float, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image_id", "class_name", "presence", "truth_area"]).assign(dice=0.0)


def test_misses_come_lowest_first_and_false_alarms_highest_first() -> None:
    table = scores(
        ("a", "Fish", 0.1, 500), ("b", "Fish", 0.3, 500), ("c", "Fish", 0.2, 500), ("d", "Fish", 0.9, 500),
        ("e", "Fish", 0.5, 0), ("f", "Fish", 0.8, 0), ("g", "Fish", 0.4, 0), ("h", "Fish", 0.7, 0),
    )  # fmt: skip
    worst = find_worst_errors(table, rules(0.5), 2)
    assert worst.values.tolist() == [  # noqa: PD011
        ["a", "Fish", 0.1, 1, 0, "missed"],
        ["c", "Fish", 0.2, 1, 0, "missed"],
        ["f", "Fish", 0.8, 0, 1, "false alarm"],
        ["h", "Fish", 0.7, 0, 1, "false alarm"],
    ]


def test_every_class_has_its_own_threshold() -> None:
    table = scores(("a", "Fish", 0.6, 0), ("a", "Sugar", 0.6, 0), ("b", "Fish", 0.6, 9), ("b", "Sugar", 0.6, 9))
    worst = find_worst_errors(table, rules(0.5, 0.7), 3)
    assert worst[["image_id", "class_name", "error"]].values.tolist() == [  # noqa: PD011
        ["a", "Fish", "false alarm"],
        ["b", "Sugar", "missed"],
    ]


def test_the_table_is_empty_without_errors_or_with_count_0() -> None:
    right = scores(("a", "Fish", 0.6, 9), ("b", "Fish", 0.1, 0))
    for worst in (find_worst_errors(right, rules(0.5), 3), find_worst_errors(right, rules(0.9), 0)):
        assert worst.columns.tolist() == ["image_id", "class_name", "presence", "truth", "predicted", "error"]
        assert worst.empty
