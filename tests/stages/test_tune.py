import pandas as pd
import pytest

import stages.tune
from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.rules.rules import Rules
from nephoscope.settings.tuning import Tune

QUICK = {"pixel_thresholds": [64, 128, 192], "min_areas": [0, 2000], "folds": 3, "resamples": 3, "bootstrap": 20}


def rules_of(artifacts: Artifacts) -> Rules:
    return Rules.model_validate(read_json(artifacts.tune.rules))


def test_every_class_has_a_rule_from_the_grid(finished: Artifacts) -> None:
    rules = rules_of(finished)
    assert rules.classes == ("Fish", "Flower", "Gravel", "Sugar")
    assert rules.output_shape == (350, 525)
    assert {rule.pixel_threshold for rule in rules.rules} <= {64, 128, 192}
    assert {rule.min_area for rule in rules.rules} <= {0, 2000}


def test_the_metrics_are_the_cross_fitted_dice_and_the_tuned_one(own_run: Artifacts) -> None:
    stages.tune.main(Tune.model_validate(QUICK), own_run)
    metrics = read_json(own_run.tune.metrics)
    estimates = pd.read_csv(own_run.tune.tables / "estimates.csv").set_index(["estimate", "class_name"])["dice"]
    assert metrics["low"] <= metrics["dice"] <= metrics["high"]
    assert metrics["dice"] == pytest.approx(estimates["cross-fitted", "mean"], abs=6e-4)
    assert metrics["tuned"] == pytest.approx(estimates["tuned"].drop("mean").mean(), abs=6e-4)


def test_tables_are_written_for_plots(finished: Artifacts) -> None:
    names = {path.stem for path in finished.tune.tables.glob("*.csv")}
    assert names == {"estimates", "optimum", "thresholds", "trials", "surface", "presence"}
    surface = pd.read_csv(finished.tune.tables / "surface.csv")
    assert len(surface) == 4 * 3 * 2
    assert "e-" not in (finished.tune.tables / "surface.csv").read_text("utf-8")


def test_a_constraint_needs_a_presence_threshold(own_run: Artifacts) -> None:
    settings = Tune.model_validate({**QUICK, "family": "area", "min_recall": {"every": 0.5}})
    with pytest.raises(UserError, match="area has no presence threshold, so no goal can bound it"):
        stages.tune.main(settings, own_run)
