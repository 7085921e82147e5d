import pytest

import stages.tune
from pipeline.artifacts import Artifacts
from pipeline.json_file import read_json
from pipeline.masks.rule import Rules
from pipeline.params import Tune


def rules_of(artifacts: Artifacts) -> Rules:
    return Rules.model_validate(read_json(artifacts.tune.rules))


def test_there_is_a_rule_per_class_from_the_grid(finished: Artifacts) -> None:
    rules = rules_of(finished)
    assert rules.classes == ("Fish", "Flower", "Gravel", "Sugar")
    assert rules.judged_shape == (350, 525)
    assert {rule.pixel_threshold for rule in rules.rules} <= {64, 128, 192}
    assert {rule.min_area for rule in rules.rules} <= {0, 2000}


def test_the_tuned_dice_is_told(finished: Artifacts) -> None:
    tuned = read_json(finished.tune.metrics)["tuned_dice"]
    assert tuned["mean"] == pytest.approx(sum(tuned[name] for name in rules_of(finished).classes) / 4)


def test_a_finer_grid_is_never_worse_where_it_is_tuned(finished: Artifacts, own_run: Artifacts) -> None:
    stages.tune.main(Tune(pixel_thresholds=(32, 64, 128, 192), min_areas=(0, 2000, 4000)), own_run)
    finer, coarse = (read_json(run.tune.metrics)["tuned_dice"] for run in (own_run, finished))
    assert all(finer[name] >= coarse[name] - 1e-12 for name in coarse)


@pytest.mark.parametrize(("presence", "weight"), [("classifier", 1.0), ("pixels", 0.0), ("both", 0.25)])
def test_presence_is_read_from_where_the_settings_say(own_run: Artifacts, presence: str, weight: float) -> None:
    settings = {"presence": presence, "classifier_weight": 0.25, "pixel_thresholds": [128], "min_areas": [0]}
    stages.tune.main(Tune.model_validate(settings | {"calibrate": False, "force_strongest": True}), own_run)
    rules = rules_of(own_run)
    assert rules.classifier_weight == weight
    assert rules.force_strongest
    assert all(calibration.slope == 1 for calibration in rules.classifier_calibrations)
