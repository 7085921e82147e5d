"""The public function `tune`: arrays in, rules and tables out."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.errors import UserError
from nephoscope.evaluation.scores import score_images
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.crossfit import CrossFitting
from nephoscope.tuning.evidence import gather
from nephoscope.tuning.tune import Tuning, tune
from tests.builders.labelled_scenes import write_labelled
from tests.builders.tuning_pictures import draw_pictures

SETTINGS = Tune(pixel_thresholds=(51, 102, 153), min_areas=(0, 3), folds=3, resamples=4, bootstrap=50)
MAPS, TRUTHS = np.zeros((3, 2, 4, 5), np.uint8), np.zeros((3, 2, 4, 5), bool)


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    labelled = draw_pictures(11, count=40, classes=2)
    return tune(labelled.maps, labelled.truths, labelled.raw.classifier, classes=("a", "b"), settings=SETTINGS)


def test_a_tuning_is_shown_in_one_line(tuning: Tuning) -> None:
    assert repr(tuning).startswith("<nephoscope.Tuning of a, b on 40 images: cross-fitted Dice 0.")
    assert len(repr(tuning)) < 120


def test_tuned_dice_equals_the_evaluation(tmp_path: Path) -> None:
    labelled = write_labelled(tmp_path / "validation.zarr.zip", count=24)
    settings = SETTINGS.model_copy(update={"min_areas": (0, 20, 60)})
    for family, power in product(("area", "presence"), (0.0, 0.5)):
        own = settings.model_copy(update={"family": family, "adaptive_power": power})
        tuning = tune(labelled.store, labelled.truth, settings=own)
        assert tuning.rules.adaptive_power == power
        assert score_images(labelled, tuning.rules).dices == pytest.approx(tuning.tuned, abs=1e-12), (family, power)


def test_arrays_memory_maps_and_probabilities_tune_alike(tmp_path: Path) -> None:
    labelled = draw_pictures(3, count=12)
    np.save(tmp_path / "maps.npy", labelled.maps)
    mapped = np.load(tmp_path / "maps.npy", mmap_mode="r")
    scores = labelled.raw.classifier
    expected = tune(labelled.maps, labelled.truths, scores, settings=SETTINGS).rules
    assert tune(mapped, labelled.truths, scores, settings=SETTINGS).rules == expected
    assert tune(labelled.maps / 255, labelled.truths.astype(int), scores, settings=SETTINGS).rules == expected


def test_tuning_is_reproducible() -> None:
    labelled = draw_pictures(3, count=12)
    first, second = (tune(labelled.maps, labelled.truths, settings=SETTINGS) for _ in range(2))
    assert first.rules == second.rules
    assert all(first.tables[name].equals(second.tables[name]) for name in first.tables)


def test_the_gap_is_tuned_minus_cross_fitted(tuning: Tuning) -> None:
    table = tuning.tables["estimates"].set_index(["estimate", "class_name"])["dice"]
    assert table["tuned", "a"] == pytest.approx(tuning.tuned[:, 0].mean())
    assert table["gap", "mean"] == pytest.approx(table["tuned", "mean"] - table["cross-fitted", "mean"])
    assert tuning.metrics()["dice"] == pytest.approx(tuning.cross_fitted.mean(), abs=6e-4)


def test_intervals_contain_their_estimates(tuning: Tuning) -> None:
    estimates, trials = tuning.tables["estimates"], tuning.tables["trials"]
    assert estimates["dice"].between(estimates["low"], estimates["high"]).all()
    assert trials["difference"].between(trials["difference_low"], trials["difference_high"]).all()
    assert (trials.loc[trials["chosen"], "difference"] == 0).all()
    assert trials.groupby("part")["chosen"].sum().tolist() == [1, 1, 1, 1]


def test_thresholds_stand_beside_optimum_and_plateau(tuning: Tuning) -> None:
    table = tuning.tables["thresholds"]
    best = np.minimum(table["best"], np.where(table["part"] == "presence_threshold", 1, np.inf))
    assert (table["plateau_low"] <= best).all()
    assert (best <= table["plateau_high"]).all()
    assert (table["low"] <= table["high"]).all()
    chosen = [getattr(rule, part) for rule in tuning.rules.rules for part in table["part"].unique()]
    assert table["part"].unique().tolist() == ["presence_threshold", "pixel_threshold", "min_area"]
    assert table["chosen"].tolist() == chosen


def test_the_best_is_never_worse_than_the_chosen(tuning: Tuning) -> None:
    table = tuning.tables["optimum"]
    assert (table["best_dice"] >= table["chosen_dice"] - 1e-12).all()


def test_the_maximum_of_the_surface_is_the_optimum(tuning: Tuning) -> None:
    peaks = tuning.tables["surface"].groupby("class_name")["dice"].max()
    best = tuning.tables["optimum"].set_index("class_name")["best_dice"]
    assert peaks.to_numpy() == pytest.approx(best[peaks.index].to_numpy())


def test_the_presence_curve_passes_through_the_rule(tuning: Tuning) -> None:
    rule, curve = tuning.rules.rules[0], tuning.tables["presence"].query("class_name == 'a'")
    nearest = curve.iloc[(curve["presence_threshold"] - rule.presence_threshold).abs().argmin()]
    assert nearest["low"] <= tuning.tuned[:, 0].mean() <= nearest["high"]
    assert curve["presence_threshold"].tolist() == pytest.approx(np.linspace(0, 1, 101).tolist())


def test_every_area_may_be_tried() -> None:
    """Right components have 7 pixels, wrong ones 6 or less: only a minimum of exactly 7 is right."""
    maps, truths = np.zeros((2, 12, 1, 20, 20))
    truths[:, :, 2, 2:9] = 1
    for image in range(12):
        maps[image, :, 2, 2:9] = maps[image, :, 9, : 1 + image % 6] = 0.9
    settings = SETTINGS.model_copy(update={"family": "area", "adaptive_power": 0.0})
    some, every = (
        tune(maps, truths, settings=settings.model_copy(update={"min_areas": areas})) for areas in ((0, 6, 8), "every")
    )
    assert every.rules.rules[0].min_area == 7
    assert every.tuned.mean() == 1
    assert some.tuned.mean() < 1


def test_a_group_lies_in_one_fold_and_counts_once() -> None:
    labelled = draw_pictures(5, count=30)
    groups = np.repeat(np.arange(10), 3)
    evidence = replace(gather(labelled), groups=groups)
    crossfitting = CrossFitting(evidence, Tune(folds=5), [None], np.array([0]))
    fold_of_group = crossfitting.folds.reshape(10, 3)
    assert (fold_of_group == fold_of_group[:, :1]).all()
    assert np.bincount(fold_of_group[:, 0]).tolist() == [2] * 5


def test_groups_are_one_label_per_image() -> None:
    with pytest.raises(UserError, match="groups: 2 values; expected 3, one per image"):
        tune(MAPS, TRUTHS, groups=["a", "b"])


def test_a_finished_run_is_tuned_with_groups(tmp_path: Path) -> None:
    """All images in one group: too few groups to cross-fit, and every resample is the same."""
    labelled = write_labelled(tmp_path / "validation.zarr.zip", count=12)
    grouped = tune(labelled.store, labelled.truth, groups=["same"] * 12, settings=SETTINGS)
    assert np.isnan(grouped.cross_fitted).all()
    tuned = grouped.tables["estimates"].query("estimate == 'tuned'")
    assert tuned["low"].to_numpy() == pytest.approx(tuned["high"].to_numpy())
    assert not np.isnan(tune(labelled.store, labelled.truth, settings=SETTINGS).cross_fitted).any()
    with pytest.raises(UserError, match="groups: 2 values; expected 12, one per image"):
        tune(labelled.store, labelled.truth, groups=["a", "b"], settings=SETTINGS)


def test_few_images_have_no_cross_fitted_score() -> None:
    labelled = draw_pictures(0, count=4)
    tuning = tune(labelled.maps, labelled.truths, settings=SETTINGS)
    table = tuning.tables["estimates"].set_index("estimate")
    assert table.loc["cross-fitted", "dice"].isna().all()
    assert table.loc["tuned", "dice"].notna().all()
    assert isinstance(tuning.tables["trials"], pd.DataFrame)


@pytest.mark.parametrize("family", ["pixel", "area", "presence"])
def test_a_class_without_positives_and_one_without_negatives(family: str) -> None:
    labelled = draw_pictures(2, count=20, classes=2)
    labelled.truths[:, 0], labelled.truths[:, 1] = False, True
    settings = SETTINGS.model_copy(update={"family": family})
    tuning = tune(labelled.maps, labelled.truths, labelled.raw.classifier, settings=settings)
    assert tuning.tuned[:, 0].mean() == 1
    assert tuning.rules.rules[0].presence_threshold > 1
    assert tuning.rules.rules[1].presence_threshold <= 1
    assert not np.isnan(tuning.cross_fitted).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maps": MAPS[0]}, r"maps .* have shape \(2, 4, 5\); expected four axes"),
        ({"maps": MAPS[:0]}, r"shape \(0, 2, 4, 5\); expected four axes, none of them empty"),
        ({"truths": TRUTHS[:, :1]}, r"truths .*: shape \(3, 1, 4, 5\); expected \(3, 2, 4, 5\)"),
        ({"presences": np.zeros((3, 1))}, r"presences .*: shape \(3, 1\); expected \(3, 2\)"),
        ({"presences": np.full((3, 2), np.nan)}, "presences .*: image 0 has nan; expected 0 to 1"),
        ({"presences": np.full((3, 2), 1.5)}, "image 0 has 1.5"),
        ({"maps": np.full((3, 2, 4, 5), np.nan)}, r"image \d has values from nan to nan; expected 0 to 1"),
        ({"maps": np.full((3, 2, 4, 5), 7.0)}, r"image \d has values from 7.0 to 7.0"),
        ({"maps": MAPS.astype(int)}, "maps .* are int64; expected levels as uint8, or probabilities as floats"),
        ({"truths": TRUTHS + 2}, r"truths .*: image \d has values \[2\]; expected false and true"),
        ({"visible": np.ones((3, 5, 4), bool)}, r"visible .*: shape \(3, 5, 4\); expected \(3, 4, 5\)"),
        ({"classes": ("a", "a")}, "1 different names; expected 2"),
    ],
)
def test_unusable_arrays_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tune(**{"maps": MAPS, "truths": TRUTHS, "settings": SETTINGS, **arguments})


def test_a_store_needs_a_truth(tmp_path: Path) -> None:
    labelled = write_labelled(tmp_path / "validation.zarr.zip", count=3)
    with pytest.raises(UserError, match="maps is a ProbabilityStore: expected a Truth"):
        tune(labelled.store, TRUTHS)
