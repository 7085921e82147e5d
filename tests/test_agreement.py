"""Boxes of single scientists: their match with images, and the best possible scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.agreement import Rates, ceilings, contradicted_by_votes, dice_at, expected_precision, shown_by_votes
from benchmarks.opinions import Opinions, find_files
from nephoscope.data.cache import Cache
from nephoscope.errors import UserError
from nephoscope.evaluation.labelled import label_arrays
from nephoscope.masks.geometry import to_planes
from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules
from nephoscope.tuning.evidence import gather

CLASSES = ("Fish", "Sugar")
SHAPE = (96, 144)
FRAME = (192, 288)
BOXES = """file,x1,y1,x2,y2,label
a,0,0,143,95,Fish
b,20,100,199,179,Sugar
b,200,10,287,59,Fish
a,48,0,191,95,Fish
a,200,120,279,191,Sugar
b,,,,,
a,0,0,143,95,Fish
c,,,,,
"""


@pytest.fixture
def opinions(tmp_path: Path) -> Opinions:
    path = tmp_path / "boxes.csv"
    path.write_text(BOXES, "utf-8")
    return Opinions.read(path, CLASSES, FRAME)


def cache_of(opinions: Opinions, folder: Path, files: list[str]) -> Cache:
    """Images whose labels are the boxes of these files, outside of a black strip."""
    cache = Cache.create(folder, len(files), SHAPE)
    for row, file in enumerate(files):
        cache.visible[row] = True
        cache.visible[row, :, 30:40] = False
        masks = opinions.drawings()[file].masks(SHAPE) if file else np.zeros((2, *SHAPE), bool)
        cache.truth[row] = to_planes(masks & cache.visible[row])
    return cache


def test_consecutive_rows_belong_to_one_scientist(opinions: Opinions) -> None:
    expected = pd.DataFrame({"Fish": [3, 1, 0], "Sugar": [1, 1, 0], "asked": [3, 2, 1]}, index=["a", "b", "c"])
    pd.testing.assert_frame_equal(opinions.votes, expected, check_names=False, check_dtype=False)


def test_boxes_include_their_last_pixel(opinions: Opinions) -> None:
    drawn = opinions.drawings()["b"].masks(FRAME)
    assert drawn[1, 100:180, 20:200].all()
    assert drawn[1].sum() == 80 * 180
    assert opinions.drawings().keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,x1\n", "no column y1, x2, y2, label"),
        (BOXES.replace("Sugar", "Salt"), "'Salt'; known: Fish, Sugar"),
        ("file,x1,y1,x2,y2,label\na,,,,,\n", "no row has a label"),
    ],
)
def test_other_tables_are_rejected(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError, match=message):
        Opinions.read(path, CLASSES, FRAME)


def test_images_match_their_boxes_and_mirrored_images_none(opinions: Opinions, tmp_path: Path) -> None:
    cache = cache_of(opinions, tmp_path / "cache", ["b", "", "a"])
    assert find_files(opinions, cache) == ["b", "", "a"]
    assert find_files(opinions, cache, mirrored=True) == ["", "", ""]


def test_a_file_belongs_to_the_image_that_it_covers_most(opinions: Opinions, tmp_path: Path) -> None:
    cache = cache_of(opinions, tmp_path / "cache", ["b", "b"])
    cache.truth[0, 80:, 100:140] |= 1  # somebody else saw Fish there, too
    assert find_files(opinions, cache) == ["", "b"]


def test_boxes_outside_the_labels_belong_to_another_image(opinions: Opinions, tmp_path: Path) -> None:
    cache = cache_of(opinions, tmp_path / "cache", ["b", "a"])
    cache.truth[0, 50:60] = 0
    assert find_files(opinions, cache) == ["", "a"]


def test_rates_are_fitted_to_the_votes() -> None:
    random = np.random.default_rng(0)
    asked = random.integers(1, 5, 20_000)
    drawn = random.binomial(asked, random.beta(0.6, 1.8, len(asked)))
    rates = Rates.fit(drawn, asked)
    assert (rates.a, rates.b) == (pytest.approx(0.6, abs=0.05), pytest.approx(1.8, abs=0.15))


def test_evenly_spread_rates() -> None:
    rates = Rates(1.0, 1.0)
    # One of two draws it unless neither does: 1 - the integral of (1 - q)², which is 2/3.
    assert rates.asked_for(2 / 3) == pytest.approx(2, abs=1e-3)
    assert expected_precision(rates.union(rates.spread(), 1)) == pytest.approx(5 / 6, abs=1e-3)


def test_dice_grows_with_the_rate_and_keeps_its_mean() -> None:
    rates = np.array([0.0, 0.5, 1.0])
    dice = dice_at(rates, np.ones(3), np.array([0.0, 1.0]), np.array([0.4, 0.8]))
    assert dice == pytest.approx([0.4, 0.6, 0.8])


def test_tables_of_two_classes() -> None:
    truths = np.zeros((8, 2, 10, 10), bool)
    truths[:6, 0, :5] = True
    truths[::2, 1, 5:] = True
    presences = np.tile([0.9, 0.1], (8, 1))
    evidence = gather(label_arrays(0.9 * truths, truths, presences, classes=CLASSES))
    rules = Rules(
        classes=CLASSES,
        output_shape=(10, 10),
        inference_settings=InferenceSettings(),
        classifier_weight=1,
        classifier_calibrations=(Calibration(),) * 2,
        top_fraction_calibrations=(Calibration(),) * 2,
        rules=(Rule(presence_threshold=0.5, pixel_threshold=100, min_area=0),) * 2,
    )
    votes = pd.DataFrame({"Fish": [0, 1, 1, 2, 2, 5, 0, 0], "Sugar": [1, 0] * 4, "asked": [3, 3, 3, 3, 3, 6, 3, 3]})

    table = shown_by_votes(votes, evidence, rules).set_index(["class", "drawn by"])
    assert table.loc["Fish", "pictures"].tolist() == [2, 3, 2, 1]
    assert table.loc["Sugar", "pictures"].tolist() == [4, 4, 0, 0]
    assert table.loc[("Fish", "one"), ["share shown", "Dice if shown"]].tolist() == [1, 1]
    assert table.loc[("Sugar", "one"), ["share shown", "Dice if shown"]].tolist() == [0, 1]

    best = ceilings(votes, votes, evidence, evidence, rules).set_index("class")
    assert best.loc["Fish", ["present", "right", "Dice"]].tolist() == [0.75, 0.75, 1.0]
    assert best.loc["Sugar", "Dice, presence known"] == pytest.approx(1, abs=1e-6)
    assert best.loc["mean", "Dice"] == pytest.approx(0.75)


def test_votes_for_labels_that_the_networks_contradict() -> None:
    surprising = pd.DataFrame({
        "image_id": ["1", "2", "3", "2", "4"],
        "class_name": ["Fish", "Fish", "Fish", "Sugar", "Sugar"],
        "annotated": [True, True, False, True, True],
    })  # fmt: skip
    file_of = pd.Series({"1": "a", "2": "b", "3": "a", "4": ""})
    votes = pd.DataFrame({"Fish": [0, 2], "Sugar": [1, 1], "asked": [2, 2]}, index=["a", "b"])
    table = contradicted_by_votes(surprising, file_of, votes)
    assert table.iloc[-1].tolist() == [5, 3, pytest.approx(2 / 3), pytest.approx(1 / 3)]
