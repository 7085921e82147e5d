"""Tables of a tuning: the Dice of the rules, intervals of their thresholds, and the trials behind their structure."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.presence import fuse
from nephoscope.rules.rules import Rules
from nephoscope.tuning.crossfit import CrossFitted, Trial
from nephoscope.tuning.evidence import Evidence
from nephoscope.tuning.plateau import PARTS, Choice, Surface

Floats = npt.NDArray[np.float64]
PRESENCE_STEPS = 101
INTERVAL = ["dice", "low", "high"]


def estimate_table(tuned: Floats, cross_fitted: Floats, classes: Sequence[str], bootstrap: Bootstrap) -> pd.DataFrame:
    """Tuned and cross-fitted Dice (N×C each) → estimate, class_name ("mean" first), dice, low, high.

    The gap between the two shows how optimistic the tuned Dice is.
    """
    estimates = {"tuned": tuned, "cross-fitted": cross_fitted, "gap": tuned - cross_fitted}
    rows = [
        (name, class_name, *vars(bootstrap.interval(scores)).values())
        for name, dices in estimates.items()
        for class_name, scores in {"mean": dices, **dict(zip(classes, dices.T, strict=True))}.items()
    ]
    return pd.DataFrame(rows, columns=["estimate", "class_name", *INTERVAL])


def optimum_table(evidence: Evidence, rules: Rules, choices: Sequence[Choice]) -> pd.DataFrame:
    """class_name, best_dice of the exact optimum, chosen_dice of the chosen rule, plateau_share."""
    best = rules.model_copy(update={"rules": tuple(choice.best for choice in choices), "force_top_class": False})
    columns = {
        "class_name": rules.classes,
        "best_dice": evidence.dices(best).mean(axis=0),
        "chosen_dice": evidence.dices(rules).mean(axis=0),
        "plateau_share": [choice.share for choice in choices],
    }
    return pd.DataFrame(columns)


def threshold_table(rules: Rules, choices: Sequence[Choice], ends: Mapping[str, Floats]) -> pd.DataFrame:
    """class_name, part, chosen, low, high, best, plateau_low, plateau_high.

    `ends`: part → 2×C, the interval of the part over resampled images.
    """
    rows = []
    for index, (name, rule, choice) in enumerate(zip(rules.classes, rules.rules, choices, strict=True)):
        for part in PARTS:
            chosen, best = float(getattr(rule, part)), float(getattr(choice.best, part))
            rows.append((name, part, chosen, *ends[part][:, index], best, choice.lowest[part], choice.highest[part]))
    columns = ["class_name", "part", "chosen", "low", "high", "best", "plateau_low", "plateau_high"]
    return pd.DataFrame(rows, columns=columns)


def trial_table(cross_fitted: CrossFitted, bootstrap: Bootstrap) -> pd.DataFrame:
    """part, value, dice, low, high, difference to the chosen value (paired by image) with its interval, chosen."""
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
    """class_name, pixel_threshold, min_area, dice at the best presence threshold, within_noise."""
    tables = []
    for name, of_class, surface in zip(evidence.classes, evidence.of_class, surfaces, strict=True):
        pixel, area = np.meshgrid(surface.pixel_thresholds, surface.min_areas, indexing="ij")
        dice = surface.gains.ravel() + (~of_class.present).mean()
        columns = {"pixel_threshold": pixel.ravel(), "min_area": area.ravel(), "dice": dice}
        tables.append(pd.DataFrame({"class_name": name, **columns, "within_noise": surface.within_noise.ravel()}))
    return pd.concat(tables, ignore_index=True)


def presence_table(evidence: Evidence, rules: Rules, bootstrap: Bootstrap) -> pd.DataFrame:
    """class_name, presence_threshold, dice, low, high; the rest of every rule stays as it is."""
    thresholds = np.linspace(0, 1, PRESENCE_STEPS)
    scores = fuse(evidence.raw, rules)
    weights = bootstrap.weights(len(evidence))
    tables = []
    for index, (name, of_class) in enumerate(zip(evidence.classes, evidence.of_class, strict=True)):
        gains = of_class.gains_of(rules.rules[index])
        dices = ~of_class.present[:, None] + gains[:, None] * (scores[:, index, None] >= thresholds)
        low, high = bootstrap.quantiles(weights @ dices)
        columns = {"presence_threshold": thresholds, "dice": dices.mean(axis=0), "low": low, "high": high}
        tables.append(pd.DataFrame({"class_name": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def threshold_ends(resampled: Sequence[Rules], bootstrap: Bootstrap) -> dict[str, Floats]:
    """Rules tuned on resampled images → part → both ends of its interval: 2×C."""
    values = {part: [[float(getattr(rule, part)) for rule in rules.rules] for rules in resampled] for part in PARTS}
    return {part: bootstrap.quantiles(np.array(of_part)) for part, of_part in values.items()}
