"""Tables of a tuning: what the rules are worth, how sure their thresholds are, and what else was tried."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.presence import fuse
from nephoscope.rules.rules import Rule, Rules
from nephoscope.tuning.crossfit import CrossFitted, Trial
from nephoscope.tuning.evidence import Evidence
from nephoscope.tuning.plateau import PARTS, Choice, Surface

Floats = npt.NDArray[np.float64]
PRESENCE_STEPS = 101
INTERVAL = ["dice", "low", "high"]


def estimate_table(tuned: Floats, cross_fitted: Floats, classes: Sequence[str], bootstrap: Bootstrap) -> pd.DataFrame:
    """Dice (N×C each) on the pictures of the tuning, and by rules that never saw them: estimate, class_name, dice,
    low, high. The gap between the two is what the tuned figure flatters itself."""
    estimates = {"tuned": tuned, "cross-fitted": cross_fitted, "gap": tuned - cross_fitted}
    rows = [
        (name, class_name, *vars(bootstrap.interval(scores)).values())
        for name, dices in estimates.items()
        for class_name, scores in {"mean": dices, **dict(zip(classes, dices.T, strict=True))}.items()
    ]
    return pd.DataFrame(rows, columns=["estimate", "class_name", *INTERVAL])


def optimum_table(evidence: Evidence, rules: Rules, choices: Sequence[Choice]) -> pd.DataFrame:
    """Per class the tuned Dice of the exact optimum and of the chosen rule, and how flat the optimum is."""
    best = rules.model_copy(update={"rules": tuple(choice.best for choice in choices), "force_top_class": False})
    columns = {
        "class_name": rules.classes,
        "best_dice": evidence.dices(best).mean(axis=0),
        "chosen_dice": evidence.dices(rules).mean(axis=0),
        "plateau_share": [choice.share for choice in choices],
    }
    return pd.DataFrame(columns)


def threshold_table(rules: Rules, choices: Sequence[Choice], ends: Mapping[str, Floats]) -> pd.DataFrame:
    """Every part of every rule: what was chosen, its interval over resampled pictures (`ends`: part → 2×C), the exact
    optimum, and the plateau from lowest to highest."""
    rows = []
    for index, (name, rule, choice) in enumerate(zip(rules.classes, rules.rules, choices, strict=True)):
        for part, chosen in parts_of(rule).items():
            if not np.isnan(chosen) or not np.isnan(parts_of(choice.best)[part]):
                low, high = ends[part][:, index]
                plateau = choice.lowest[part], choice.highest[part]
                rows.append((name, part, chosen, low, high, parts_of(choice.best)[part], *plateau))
    columns = ["class_name", "part", "chosen", "low", "high", "best", "plateau_low", "plateau_high"]
    return pd.DataFrame(rows, columns=columns)


def parts_of(rule: Rule) -> dict[str, float]:
    """The parts of a rule as numbers; NaN where it has no such part."""
    values = {part: getattr(rule, part) for part in PARTS}
    values["core_area"] = values["core_area"] or None
    return {part: float("nan") if value is None else float(value) for part, value in values.items()}


def trial_table(cross_fitted: CrossFitted, bootstrap: Bootstrap) -> pd.DataFrame:
    """What was tried for the structure of the rules: cross-fitted Dice of each value, and its difference to the chosen
    one, pictures paired."""
    columns = ["part", "value", *INTERVAL, "difference", "difference_low", "difference_high", "chosen"]
    rows = [row for trial in cross_fitted.trials for row in _trial_rows(trial, bootstrap)]
    return pd.DataFrame(rows, columns=columns)


def _trial_rows(trial: Trial, bootstrap: Bootstrap) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for index, (value, dices) in enumerate(zip(trial.values, trial.dices, strict=True)):
        difference = bootstrap.compare(trial.dices[trial.chosen], dices).difference
        intervals = (*vars(bootstrap.interval(dices)).values(), *vars(difference).values())
        rows.append((trial.part, value, *intervals, index == trial.chosen))
    return rows


def surface_table(evidence: Evidence, surfaces: Sequence[Surface]) -> pd.DataFrame:
    """Dice over pixel threshold × minimum area, everything else at its best, and which cells are within noise."""
    tables = []
    for name, of_class, surface in zip(evidence.classes, evidence.of_class, surfaces, strict=True):
        pixel, area = np.meshgrid(surface.pixel_thresholds, surface.min_areas, indexing="ij")
        dice = surface.gains.ravel() + (~of_class.present).mean()
        columns = {"pixel_threshold": pixel.ravel(), "min_area": area.ravel(), "dice": dice}
        tables.append(pd.DataFrame({"class_name": name, **columns, "within_noise": surface.within_noise.ravel()}))
    return pd.concat(tables, ignore_index=True)


def presence_table(evidence: Evidence, rules: Rules, bootstrap: Bootstrap) -> pd.DataFrame:
    """Dice over presence thresholds, the rest of the rule as it is: class_name, presence_threshold, dice, low, high."""
    thresholds = np.linspace(0, 1, PRESENCE_STEPS)
    scores = fuse(evidence.raw, rules)
    weights = bootstrap.weights(len(evidence))
    tables = []
    for index, (name, of_class) in enumerate(zip(evidence.classes, evidence.of_class, strict=True)):
        gains = of_class.shown_gains(rules.rules[index])
        dices = ~of_class.present[:, None] + gains[:, None] * (scores[:, index, None] >= thresholds)
        low, high = bootstrap.quantiles(weights @ dices)
        columns = {"presence_threshold": thresholds, "dice": dices.mean(axis=0), "low": low, "high": high}
        tables.append(pd.DataFrame({"class_name": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def threshold_ends(resampled: Sequence[Rules], bootstrap: Bootstrap) -> dict[str, Floats]:
    """Rules tuned on resampled pictures → the ends of the interval of every part: 2×C; NaN where no rule has it."""
    rules = [[parts_of(rule) for rule in one.rules] for one in resampled]
    return {part: _ends(np.array([[rule[part] for rule in one] for one in rules]), bootstrap) for part in PARTS}


def _ends(values: Floats, bootstrap: Bootstrap) -> Floats:
    known = [column[~np.isnan(column)] for column in values.T]
    return np.stack([bootstrap.quantiles(one) if len(one) else np.full(2, np.nan) for one in known], axis=1)
