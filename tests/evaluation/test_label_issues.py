from pathlib import Path

import numpy as np
import pytest

from nephoscope.evaluation.label_issues import find_label_issues
from nephoscope.evaluation.labelled import label_arrays
from nephoscope.rules.presence import decide_presence
from nephoscope.rules.rules import Calibration
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune
from tests.builders.example_rules import rules as example_rules
from tests.builders.labelled_scenes import write_labelled

SETTINGS = Tune(pixel_thresholds=(60, 100), min_areas=(0,), family="presence", folds=3, resamples=2)


def test_improbable_labels_are_listed_most_surprising_first(tmp_path: Path) -> None:
    labelled = write_labelled(tmp_path / "validation.zarr.zip", count=16)
    rules = tune(labelled.store, labelled.truth, settings=SETTINGS).rules
    wrong = sorted(labelled.truth.rles)[0]
    del labelled.truth.rles[wrong]  # a missing annotation
    table = find_label_issues(labelled, rules, "validation")
    assert table["surprise"].is_monotonic_decreasing
    assert (table["surprise"] > 1).all()  # a probability below 0.5
    assert ((table["presence"] < 0.5) == table["annotated"]).all()
    assert (table["annotated_share"] > 0).equals(table["annotated"])
    presences, ids = decide_presence(labelled.raw, rules).probability, list(labelled.image_ids)
    present = np.stack([image.truth.any(axis=(1, 2)) for image in labelled])
    assert len(table) == int(((presences > 0.5) != present).sum()) > 0
    assert wrong in set(zip(table["image_id"], table["class_name"], strict=True))
    first = table.iloc[0]
    probability = presences[ids.index(first["image_id"]), labelled.classes.index(first["class_name"])]
    assert first["surprise"] == pytest.approx(-np.log2(probability if first["annotated"] else 1 - probability))


def test_labels_of_a_probability_below_a_half_are_issues() -> None:
    truths = np.zeros((4, 1, 4, 4), bool)
    truths[2:, :, :2] = True
    presences = np.array([[0.55], [0.45], [0.55], [0.25]])
    labelled = label_arrays(truths.astype(float), truths, presences, classes=("a",))
    table = find_label_issues(labelled, example_rules(1, classifier_weight=1), "holdout")
    rows = table[["image_id", "annotated", "annotated_share", "split"]].to_numpy().tolist()
    assert rows == [["3", True, 0.5, "holdout"], ["0", False, 0.0, "holdout"]]
    assert table["surprise"].tolist() == pytest.approx([2, -np.log2(0.45)])


def test_the_surprise_of_an_impossible_label_is_finite() -> None:
    truths = np.ones((1, 1, 4, 4), bool)
    steep = example_rules(1, classifier_weight=1, classifier_calibrations=(Calibration(slope=500),))
    labelled = label_arrays(truths.astype(float), truths, [[0.0]], classes=("a",))
    table = find_label_issues(labelled, steep, "holdout")
    assert table["surprise"].tolist() == pytest.approx([np.log2(1e6)])
