import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.data.formats import HumanDice
from nephoscope.errors import UserError
from nephoscope.evaluation.evaluate import evaluate_folds, evaluate_rules
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.scores import score_images, steps_of
from nephoscope.evaluation.tables import EMPTY, OURS, presence_table
from nephoscope.masks.dice import dice
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.presence import decide_presence, presences
from nephoscope.rules.rules import InferenceSettings, Rule, Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune
from tests.builders.labelled_scenes import write_labelled

BOOTSTRAP = Bootstrap(resamples=200)
SETTINGS = Tune(pixel_thresholds=(60, 100, 140), min_areas=(0, 20), family="presence", folds=3, resamples=5)
HUMAN = HumanDice(union=0.6, single=0.7, per_class={"a": 0.5, "b": 0.7})


@pytest.fixture
def labelled(tmp_path: Path) -> LabelledSplit:
    return write_labelled(tmp_path / "holdout.zarr.zip", count=16)


@pytest.fixture
def rules(labelled: LabelledSplit) -> Rules:
    return tune(labelled.store, labelled.truth, settings=SETTINGS).rules


@pytest.mark.parametrize("power", [0, 0.5])
def test_scores_are_the_dice_of_the_decided_masks(labelled: LabelledSplit, rules: Rules, power: float) -> None:
    rules = rules.model_copy(update={"adaptive_power": power})
    presence, top_mean = presences(labelled.raw, rules), labelled.raw.top_mean
    expected = [
        list(map(dice, image.truth, decide_masks(presence[i], top_mean[i], image.levels, image.visible, rules)))
        for i, image in enumerate(labelled)
    ]
    assert score_images(labelled, rules).dices == pytest.approx(np.array(expected))


def test_curves_and_brier_scores_do_not_depend_on_tuned_thresholds(labelled: LabelledSplit, rules: Rules) -> None:
    strict = tuple(rule.model_copy(update={"presence_threshold": 0.999}) for rule in rules.rules)
    strict_rules = rules.model_copy(update={"rules": strict})
    plain, forced = (
        evaluate_rules(labelled, strict_rules.model_copy(update={"force_top_class": force}), BOOTSTRAP, None)
        for force in (False, True)
    )
    assert forced.tables["presence"]["decided"].iloc[-1] > plain.tables["presence"]["decided"].iloc[-1]
    pd.testing.assert_frame_equal(forced.curves["presence"], plain.curves["presence"])
    columns = ["average_precision", "brier"]
    pd.testing.assert_frame_equal(forced.tables["presence"][columns], plain.tables["presence"][columns])


def test_the_last_step_is_the_whole_rule(labelled: LabelledSplit, rules: Rules) -> None:
    tables = evaluate_rules(labelled, rules, BOOTSTRAP, None).tables
    steps, ours = tables["steps"], tables["dice"][tables["dice"]["reference"] == OURS]
    assert steps["step"].unique().tolist() == list(steps_of(rules))
    assert steps.tail(3)["dice"].tolist() == ours["dice"].tolist()


def test_every_step_has_its_gain_over_the_step_before(labelled: LabelledSplit, rules: Rules) -> None:
    steps = evaluate_rules(labelled, rules, BOOTSTRAP, None).tables["steps"]
    means = steps[steps["class_name"] == "mean"]
    assert means["gain"].iloc[1:].tolist() == pytest.approx(np.diff(means["dice"]).tolist())
    assert means.iloc[1:]["gain"].between(means["gain_low"].iloc[1:], means["gain_high"].iloc[1:]).all()
    assert np.isnan(means["gain"].iloc[0])


def test_steps_without_effect_are_left_out(rules: Rules) -> None:
    plain = Rule(presence_threshold=0, pixel_threshold=9, min_area=0)
    full = Rule(presence_threshold=0.5, pixel_threshold=9, min_area=3)
    steps = steps_of(rules.model_copy(update={"rules": (plain, plain)}))
    assert list(steps) == ["threshold 0.5", "tuned pixel threshold"]
    steps = steps_of(rules.model_copy(update={"rules": (plain, full)}))
    assert list(steps)[2:] == ["+ minimum area", "+ presence threshold"]
    assert [step(full).min_area for step in steps.values()] == [0, 0, 3, 3]
    assert [step(full).presence_threshold for step in steps.values()] == [0, 0, 0, 0.5]


def test_the_dice_table_has_the_references(labelled: LabelledSplit, rules: Rules) -> None:
    table = evaluate_rules(labelled, rules, BOOTSTRAP, HUMAN).tables["dice"].set_index(["reference", "class_name"])
    empty = ~np.array([image.truth.any((1, 2)) for image in labelled])
    assert table.loc[("all masks empty", "mean"), "dice"] == pytest.approx(empty.mean())
    areas = np.array([image.truth.sum((1, 2)) for image in labelled])
    whole = 2 * areas / (areas + 24 * 36)
    assert table.loc[("whole image, every class", "a"), "dice"] == pytest.approx(whole[:, 0].mean())
    perfect = np.where(empty, 1, whole).mean()
    assert table.loc[("perfect presence, whole image", "mean"), "dice"] == pytest.approx(perfect)
    assert table.loc[("human union against human union, real images", "b"), "dice"] == 0.7
    assert table.loc[("one human against another, real images", "mean"), "dice"] == 0.7


def test_every_pixel_is_counted_once(labelled: LabelledSplit, rules: Rules) -> None:
    table = evaluate_rules(labelled, rules, BOOTSTRAP, None).tables["pixels"].set_index("class_name")
    counts = table[["hit", "false_alarm", "miss", "right_nothing"]]
    assert counts.sum(axis=1).tolist() == [16 * 24 * 36] * 2
    assert counts.loc["a", ["hit", "miss"]].sum() == sum(image.truth[0].sum() for image in labelled)


def test_a_class_that_is_never_present_has_no_recall(labelled: LabelledSplit, rules: Rules) -> None:
    labelled.truth.rles.clear()
    table = presence_table(score_images(labelled, rules), decide_presence(labelled.raw, rules).present).set_index(
        "class_name"
    )
    assert np.isnan(table.loc["a", "recall"])
    assert np.isnan(table.loc["a", "f1"])
    assert table.loc["any", "present"] == 0


def test_the_table_of_presence_counts_decisions(labelled: LabelledSplit, rules: Rules) -> None:
    scores = score_images(labelled, rules)
    table = presence_table(scores, decide_presence(labelled.raw, rules).present).set_index("class_name")
    decided = scores.presence >= [rule.presence_threshold for rule in rules.rules]
    columns = {"a": (decided[:, 0], scores.present[:, 0], scores.fused[:, 0])}
    columns["any"] = (decided.any(axis=1), scores.present.any(axis=1), scores.fused.max(axis=1))
    for name, (shown, present, fused) in columns.items():
        row, hits = table.loc[name], (shown & present).sum()
        assert row["precision"] == pytest.approx(hits / shown.sum())
        assert row["recall"] == pytest.approx(hits / present.sum())
        assert row["f1"] == pytest.approx(2 * hits / (shown.sum() + present.sum()))
        assert row["accuracy"] == pytest.approx((shown == present).mean())
        assert row["brier"] == pytest.approx(((fused - present) ** 2).mean())
        assert (row["present"], row["decided"]) == (present.sum(), shown.sum())


def test_the_worst_images_come_first(labelled: LabelledSplit, rules: Rules) -> None:
    pictures = evaluate_rules(labelled, rules, BOOTSTRAP, None).tables["pictures"]
    assert pictures["mean"].is_monotonic_increasing
    assert set(pictures["image_id"]) == set(labelled.store.image_ids)


def test_the_metrics_are_those_of_the_dice_table(labelled: LabelledSplit, rules: Rules) -> None:
    evaluation = evaluate_rules(labelled, rules, BOOTSTRAP, HUMAN)
    means = evaluation.tables["dice"].query("class_name == 'mean'").set_index("reference")
    ours = means.loc["nephoscope"]
    expected = {"dice": ours["dice"], "low": ours["low"], "high": ours["high"], "empty": means.loc[EMPTY, "dice"]}
    assert evaluation.metrics == pytest.approx(expected, abs=6e-4)


def test_a_class_without_truth_has_no_average_precision(labelled: LabelledSplit, rules: Rules) -> None:
    for key in [key for key in labelled.truth.rles if key[1] == "b"]:
        del labelled.truth.rles[key]
    pixels = evaluate_rules(labelled, rules, BOOTSTRAP, HUMAN).tables["pixels"].set_index("class_name")
    assert np.isnan(pixels.loc["b", "average_precision"])
    assert not np.isnan(pixels.loc["a", "average_precision"])


def test_tables_are_written_as_csv(labelled: LabelledSplit, rules: Rules, tmp_path: Path) -> None:
    evaluate_rules(labelled, rules, BOOTSTRAP, None).write(tmp_path / "tables", tmp_path / "plots")
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == {"presence", "pixels"}
    assert not re.search(r"\de-\d", (tmp_path / "plots/pixels.csv").read_text())
    scores = pd.read_csv(tmp_path / "tables/scores.csv", dtype={"image_id": str})
    assert len(scores) == 16 * 2


def test_rules_of_other_classes_are_refused(labelled: LabelledSplit, rules: Rules) -> None:
    with pytest.raises(UserError, match=r"rules have classes \('b', 'a'\), the probabilities have \('a', 'b'\)"):
        score_images(labelled, rules.model_copy(update={"classes": ("b", "a")}))


def test_rules_are_refused_with_other_inference_settings(labelled: LabelledSplit, rules: Rules) -> None:
    other = rules.model_copy(update={"inference_settings": InferenceSettings(top_fraction=0.5)})
    with pytest.raises(ValueError, match="run `dvc repro tune`"):
        score_images(labelled, other)


def test_folds_are_decided_by_rules_that_never_saw_them(labelled: LabelledSplit) -> None:
    tuning = tune(labelled.store, labelled.truth, settings=SETTINGS)
    bootstrap = Bootstrap(200, groups=labelled.groups)
    evaluation = evaluate_folds(labelled, tuning.folds, tuning.fold_rules, bootstrap, None)
    scores = evaluation.tables["scores"]
    assert scores["image_id"].unique().tolist() == list(labelled.image_ids)
    assert scores["dice"].to_numpy().reshape(16, 2) == pytest.approx(tuning.cross_fitted)
    for fold, rules in enumerate(tuning.fold_rules):
        rows = np.flatnonzero(tuning.folds == fold)
        alone = score_images(labelled.take(rows), rules)
        assert alone.image_ids == tuple(np.array(labelled.image_ids)[rows])
        assert alone.dices == pytest.approx(tuning.cross_fitted[rows])
        presence = scores["presence"].to_numpy().reshape(16, 2)[rows]
        assert presence == pytest.approx(decide_presence(labelled.raw, rules).compared[rows])


def test_one_rule_for_all_folds_is_the_plain_evaluation(labelled: LabelledSplit, rules: Rules) -> None:
    folds, bootstrap = np.arange(16) % 3, Bootstrap(200, groups=labelled.groups)
    whole = evaluate_rules(labelled, rules, bootstrap, HUMAN)
    folded = evaluate_folds(labelled, folds, [rules] * 3, bootstrap, HUMAN)
    assert folded.metrics == whole.metrics
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(folded.tables[name], table)
