"""Tune: probabilities and truth of validation in, one rule per class out."""

from pipeline.artifacts import Artifacts
from pipeline.data.manifest import Manifest
from pipeline.data.truth import Truth
from pipeline.evaluation.judged import Judged
from pipeline.evaluation.store import ProbabilityStore
from pipeline.evaluation.tuning import Grid, fit_presence, tune_rules
from pipeline.json_file import write_json
from pipeline.params import Params, Tune

WEIGHTS = {"classifier": 1.0, "pixels": 0.0}


def main(params: Tune, artifacts: Artifacts) -> None:
    facts = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images).facts
    store = ProbabilityStore.open(artifacts.predict.probabilities("validation"))
    judged = Judged(store, Truth.load(artifacts.prepare.truth, facts))

    fitted = fit_presence(
        judged,
        classifier_weight=WEIGHTS.get(params.presence, params.classifier_weight),
        calibrated=params.calibrate,
        force_strongest=params.force_strongest,
    )
    rules, dices = tune_rules(judged, fitted, Grid(params.pixel_thresholds, params.min_areas))

    write_json(artifacts.tune.rules, rules.model_dump())
    tuned = dict(zip(facts.classes, dices, strict=True))
    write_json(artifacts.tune.metrics, {"tuned_dice": {"mean": sum(dices) / len(dices), **tuned}})
    for name, rule in zip(rules.classes, rules.rules, strict=True):
        print(f"{name:>10}: Dice {tuned[name]:.3f} on {len(judged)} pictures with {rule!r}")


if __name__ == "__main__":
    main(Params.load().tune, Artifacts())
