"""How well tuned rules generalise: the middle of the plateau against the plain optimum.

Rules are tuned on random subsets of the validation images of a finished run and scored on its holdout:

    python -m benchmarks.robustness artifacts --subsets 20 --sizes 100 200 400
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import EvaluatedSplit, LabelledSplit
from nephoscope.rules.rules import Rule, Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.evidence import Evidence, gather
from nephoscope.tuning.families import Grid, make_grid
from nephoscope.tuning.fitting import Fit, fit_presence, fit_rules

Dices = npt.NDArray[np.float64]
OPTIMUM, MEDIAN, OURS = "plain optimum", "median of bootstrap optima", "middle of the plateau"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", type=Path, help="of a finished run: prepare and predict are read")
    parser.add_argument("--subsets", type=int, default=20, help="random subsets of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 200, 400], help="pictures in a subset")
    parser.add_argument("--resamples", type=int, default=100, help="behind the median of bootstrap optima")
    parser.add_argument("--weight", type=float, default=0.5, help="share of the classifier in presence")
    parser.add_argument("--swap", action="store_true", help="tune on holdout and score on validation, as a check")
    parser.add_argument("--out", type=Path, help="write the table here as CSV")
    arguments = parser.parse_args()

    splits: list[EvaluatedSplit] = ["validation", "holdout"]
    if arguments.swap:
        splits.reverse()
    tuning, other = (gather(open_labelled(Artifacts(arguments.artifacts), split)) for split in splits)
    settings = Tune()
    grid = make_grid("presence", settings.pixel_thresholds, settings.min_areas)
    hindsight = ways_to_choose(other, grid, arguments, seed=0)[OPTIMUM]
    print(f"the best rules in hindsight, tuned on {splits[1]} itself: {other.dices(hindsight).mean():.4f}")
    tables = [study(tuning, other, grid, size, arguments) for size in arguments.sizes]
    table = pd.concat(tables, ignore_index=True)
    print(table.to_string(index=False, float_format="{:+.4f}".format))
    if arguments.out:
        table.to_csv(arguments.out, index=False)


def open_labelled(artifacts: Artifacts, split: EvaluatedSplit) -> LabelledSplit:
    return LabelledSplit.open(artifacts, Manifest.load(artifacts.prepare.manifest), split)


def study(tuning: Evidence, other: Evidence, grid: Grid, size: int, arguments: argparse.Namespace) -> pd.DataFrame:
    """Holdout Dice of each way to choose a rule, mean over subsets, and the lead of ours, paired by image."""
    scores: dict[str, list[Dices]] = {OPTIMUM: [], MEDIAN: [], OURS: []}
    tuned = []
    for subset in tqdm(range(arguments.subsets), desc=f"{size} pictures", unit="subset"):
        chosen = np.sort(np.random.default_rng(subset).choice(len(tuning), size, replace=False))
        part = tuning.take(chosen)
        for name, rules in ways_to_choose(part, grid, arguments, subset).items():
            scores[name].append(other.dices(rules))
            if name == OPTIMUM:
                tuned.append(part.dices(rules).mean())
    print(f"{size} pictures: the plain optimum promises {np.mean(tuned):.4f}")
    means = {name: np.mean(dices, axis=0) for name, dices in scores.items()}
    return pd.DataFrame([row(size, name, means, scores) for name in scores])


def row(size: int, name: str, means: dict[str, Dices], scores: dict[str, list[Dices]]) -> dict[str, object]:
    difference = Bootstrap().compare(means[name], means[OURS]).difference
    by_subset = [float((ours - other).mean()) for ours, other in zip(scores[OURS], scores[name], strict=True)]
    return {
        "pictures": size,
        "way": name,
        "holdout_dice": float(means[name].mean()),
        "ours_ahead": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "deviation_over_subsets": float(np.std(by_subset)),
        "subsets_ahead": sum(value > 0 for value in by_subset),
    }


def ways_to_choose(part: Evidence, grid: Grid, arguments: argparse.Namespace, seed: int) -> dict[str, Rules]:
    (fit,) = tune_all(part, grid, arguments.weight)
    resamples = list(Bootstrap(arguments.resamples, seed=seed).weights(len(part)) * len(part))
    fits = fit_rules(part, grid, [fit.rules] * arguments.resamples, resamples, no_constraints(part), shrinkage=0)
    return {
        OPTIMUM: with_rules(fit.rules, [choice.best for choice in fit.choices]),
        MEDIAN: with_rules(
            fit.rules, [median([fit.choices[c].best for fit in fits]) for c in range(len(part.classes))]
        ),
        OURS: fit.rules,
    }


def tune_all(part: Evidence, grid: Grid, weight: float) -> list[Fit]:
    fitted = fit_presence(part, np.ones(len(part), bool), calibrate=True)
    fitted = fitted.model_copy(update={"classifier_weight": weight})
    return fit_rules(part, grid, [fitted], [np.ones(len(part))], no_constraints(part), Tune().shrinkage)


def no_constraints(part: Evidence) -> list[None]:
    return [None] * len(part.classes)


def with_rules(rules: Rules, class_rules: Sequence[Rule]) -> Rules:
    return rules.model_copy(update={"rules": tuple(class_rules)})


def median(rules: Sequence[Rule]) -> Rule:
    return Rule(
        presence_threshold=float(np.median([rule.presence_threshold for rule in rules])),
        pixel_threshold=round(float(np.median([rule.pixel_threshold for rule in rules]))),
        min_area=round(float(np.median([rule.min_area for rule in rules]))),
    )


if __name__ == "__main__":
    main()
