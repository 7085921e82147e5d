"""The gain in Dice on holdout of exact tuning over the usual ways to choose a rule, paired by image:

    python -m benchmarks.gain artifacts

Rules are tuned on the validation images of a finished run. The usual ways are a threshold of 0.5 alone, and one
parameter after the other on a common grid (10 pixel thresholds, then 18 areas, then 19 presence thresholds).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.robustness import open_labelled, tune_all, with_rules
from nephoscope.artifacts import Artifacts
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.rules import Rule, Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.evidence import Evidence, gather
from nephoscope.tuning.families import make_grid
from nephoscope.tuning.fitting import fit_presence
from nephoscope.tuning.tune import tune

THRESHOLDS = [round(255 * percent / 100) for percent in range(25, 75, 5)]
AREAS = [0, 500, 1000, 2000, 3000, 4000, 5000, 6000, 7500, 9000, 10500, 12000, 14000, 16000, 18000, 20000, 25000, 30000]
PRESENCES = [percent / 100 for percent in range(5, 100, 5)]
PLAIN = Rule(presence_threshold=0, pixel_threshold=128, min_area=0)
OURS = "nephoscope's tuner"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", type=Path, help="of a finished run: prepare and predict are read")
    parser.add_argument("--out", type=Path, help="write the table here as CSV")
    arguments = parser.parse_args()

    validation = open_labelled(Artifacts(arguments.artifacts), "validation")
    tuning, holdout = gather(validation), gather(open_labelled(Artifacts(arguments.artifacts), "holdout"))
    tuner = tune(validation.store, validation.truth)
    ways = {**usual_ways(tuning), "plain joint optimum": joint_optimum(tuning), OURS: tuner.rules}
    table = pd.DataFrame([row(name, rules, ways[OURS], tuning, holdout) for name, rules in ways.items()])
    print(table.to_string(index=False, float_format="{:.4f}".format))
    print(f"cross-fitted estimate of {OURS}: {tuner.cross_fitted.mean():.4f}")
    if arguments.out:
        table.to_csv(arguments.out, index=False)


def row(name: str, rules: Rules, ours: Rules, tuning: Evidence, holdout: Evidence) -> dict[str, object]:
    dices = holdout.dices(rules)
    ahead = Bootstrap().compare(dices, holdout.dices(ours))
    return {
        "way": name,
        "validation": tuning.dices(rules).mean(),
        **{f"holdout {end}": value for end, value in vars(Bootstrap().interval(dices)).items()},
        **{f"ours ahead {end}": value for end, value in vars(ahead.difference).items()},
        "share of resamples ahead": ahead.better,
    }


def usual_ways(tuning: Evidence) -> dict[str, Rules]:
    fitted = fit_presence(tuning, np.ones(len(tuning), bool), calibrate=False)
    rules = [PLAIN] * len(tuning.classes)
    ways = {"threshold 0.5": with_rules(fitted, rules)}
    parts: dict[str, Sequence[float]] = {
        "pixel_threshold": THRESHOLDS,
        "min_area": AREAS,
        "presence_threshold": PRESENCES,
    }
    for part, values in parts.items():
        rules = best_each(tuning, fitted, rules, part, values)
        ways[f"one after the other, up to {part}"] = with_rules(fitted, rules)
    return ways


def best_each(tuning: Evidence, fitted: Rules, rules: list[Rule], part: str, values: Sequence[float]) -> list[Rule]:
    """Per class, the best value of one part of the rule; the other parts stay."""
    tried = [[rule.model_copy(update={part: value}) for rule in rules] for value in values]
    dices = np.array([tuning.dices(with_rules(fitted, candidates)).mean(axis=0) for candidates in tried])
    return [tried[int(best)][index] for index, best in enumerate(dices.argmax(axis=0))]


def joint_optimum(tuning: Evidence) -> Rules:
    settings = Tune()
    grid = make_grid("presence", settings.pixel_thresholds, settings.min_areas)
    (fit,) = tune_all(tuning, grid, 0.5)
    return with_rules(fit.rules, [choice.best for choice in fit.choices])


if __name__ == "__main__":
    main()
