"""The model card: unknown figures, rules that are never met, and sentences that depend on the data."""

import pandas as pd
import pytest
import yaml

from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.card import describe_for_hubs, write_card
from nephoscope.data.formats import CLOUDS
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.evaluation.calibration import CALIBRATED, EVERY_CLASS
from nephoscope.evaluation.tables import HUMAN_UNION, OURS
from nephoscope.rules.rules import NEVER, Calibration, InferenceSettings, Rule, Rules, read_rules

NAN = float("nan")
CLASSES = ("Fish", "Sugar")


@pytest.fixture
def card() -> str:
    return card_of(area=0.3)


def card_of(area: float, all_images: bool = False) -> str:
    """A holdout of one image: this share of it is Fish, there is no Sugar, and no decision is unsure."""
    folds = 5 if all_images else 0
    metadata = Metadata("clouds", CLASSES, CLOUDS.rle_shape, CLOUDS.output_shape, (64, 96), folds)
    dice = {
        "class_name": ["Fish", "Sugar"],
        "reference": OURS,
        "dice": [0.5, NAN],
        "low": [0.4, NAN],
        "high": [0.6, NAN],
    }
    means = {"class_name": "mean", "reference": ["all masks empty", HUMAN_UNION], "dice": [0.467, 0.584]}
    presence = {"class_name": ["Fish", "Sugar"], "precision": [0.8, NAN], "recall": [0.7, NAN]}
    brier = {"source": ["raw", CALIBRATED], "class_name": ["Fish", "Fish"], "brier": 0.2, "low": 0.1, "high": 0.3}
    pooled = {"source": ["raw", CALIBRATED], "class_name": EVERY_CLASS, "brier": [NAN, NAN], "low": NAN, "high": NAN}
    confidence_levels = {
        "class_name": EVERY_CLASS,
        "confidence_label": ["sure", "unsure"],
        "share": [1.0, 0.0],
        "wrong_share": [0.25, NAN],
    }
    rules = Rules(
        classes=CLASSES,
        output_shape=CLOUDS.output_shape,
        inference_settings=InferenceSettings(),
        classifier_weight=0.5,
        classifier_calibrations=(Calibration(),) * 2,
        top_fraction_calibrations=(Calibration(),) * 2,
        rules=tuple(Rule(presence_threshold=threshold, pixel_threshold=120, min_area=9) for threshold in (0.25, NEVER)),
    )
    tables = {
        "dice": pd.concat([pd.DataFrame(dice), pd.DataFrame(means)]),
        "presence": pd.DataFrame(presence).assign(average_precision=[0.9, NAN]),
        "brier": pd.concat([pd.DataFrame(brier), pd.DataFrame(pooled)]).assign(calibration_error=NAN),
        "confidence_levels": pd.DataFrame(confidence_levels),
    }
    areas = {"area_Fish": [area], "area_Sugar": [0.0]}
    fold = {"split": ["train"], "fold": [0]} if all_images else {"split": ["holdout"], "fold": [-1]}
    images = pd.DataFrame({"image_id": ["a.jpg"]} | fold | areas)
    return write_card([], Manifest(metadata, images), rules, "", tables, all_images)


def test_unknown_figures_are_shown_as_such(card: str) -> None:
    assert "nan" not in card
    assert "| Fish | 0.500 | 0.400 to 0.600 | 0.800 | 0.700 | 0.900 |" in card
    assert "| Sugar | n/a | n/a | n/a | n/a | n/a |" in card
    assert "| raw | all classes | n/a | n/a | n/a |" in card
    assert "- sure: 100 % of the decisions on presence; 25 % of these are wrong." in card
    assert "- unsure: 0 % of the decisions on presence; n/a % of these are wrong." in card


def test_networks_of_all_images_are_shown_with_the_scores_of_those_that_left_some_out() -> None:
    text = card_of(area=0.3, all_images=True)
    assert "1 images. The networks below learned from all of them." in text
    assert "On all 1 images, cross-fitted: each is predicted by the networks of its fold" in text
    assert "holdout" not in text
    (result,) = yaml.safe_load(text.split("---")[1])["model-index"][0]["results"]
    assert result["dataset"]["split"] == "all images, cross-fitted"


def test_calibrated_probabilities_are_evaluated_per_class(card: str) -> None:
    assert f"| {CALIBRATED} | Fish | 0.2000 | 0.1000 to 0.3000 | n/a |" in card
    assert "| raw | Fish |" not in card


def test_a_presence_threshold_above_one_is_shown_as_never(card: str) -> None:
    assert "| Fish | ≥ 0.250 | 0.471 (level 120) | 9 |" in card
    assert "| Sugar | never | 0.471 (level 120) | 9 |" in card


def test_the_card_shows_every_part_of_a_rule(card: str) -> None:
    assert "| class | presence threshold | pixel threshold | minimum area |" in card


def test_people_are_listed_apart_because_they_saw_other_images(card: str) -> None:
    assert "Mean Dice of references on the same images: all masks empty 0.467.\n" in card
    assert "Mean Dice of people, on other images and therefore not comparable: human union against human union" in card


def test_the_card_warns_if_every_labelled_image_shows_a_class(card: str) -> None:
    assert "Every labelled image shows at least one class. Where images may show none" in card
    assert "images may show none" not in card_of(area=0.0)


def test_unknown_figures_are_left_out_of_the_front_matter(card: str) -> None:
    assert card.startswith("---\nlibrary_name: nephoscope\n")
    assert "  - type: dice" not in card


@pytest.mark.parametrize(("licence", "identifier"), [("MIT, with these weights.", "mit"), ("Ask us.", "other")])
def test_hubs_read_an_identifier_of_the_licence(licence: str, identifier: str) -> None:
    tables = {
        "dice": pd.DataFrame({"class_name": ["mean"], "reference": [OURS], "dice": [0.61234]}),
        "brier": pd.DataFrame({"class_name": [EVERY_CLASS], "source": [CALIBRATED], "brier": [NAN]}),
    }
    rules = read_rules(SHIPPED / "rules.json")
    metadata = Metadata("clouds", CLASSES, CLOUDS.rle_shape, CLOUDS.output_shape, (64, 96))
    content = yaml.safe_load(describe_for_hubs(metadata, rules, licence, tables))
    assert content["license"] == identifier
    assert content["model-index"][0]["results"][0]["metrics"] == [{"type": "dice", "value": 0.6123}]
