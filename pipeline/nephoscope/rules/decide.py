"""The rule between the networks and the mask: `presences` and `decide`, the only ones there are.

Evaluation, submission, prediction and the app all call these two, so what is measured is what is delivered. Tuning
finds the Dice of what they would decide without drawing a mask; tests hold the two to the same figure.
"""

import numpy as np
import numpy.typing as npt

from nephoscope.masks.components import filter_components
from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Levels, Rule, Rules

FAINTEST = 0.05
"""Strongest pixels below this are followed no further down."""


def decide(presence: float, probability: Levels, visible: Mask, rule: Rule) -> Mask:
    """Presence and levels (H×W uint8) of one class → its mask (H×W).

    Invisible pixels count as level 0; then presence, core, pixel threshold, components.
    """
    nothing = np.zeros(probability.shape, bool)
    if not presence >= rule.presence_threshold:  # a NaN reaches no threshold
        return nothing
    # No threshold is below 1, so that seen and strong enough is the same as strong enough with the unseen at 0.
    if rule.core_threshold is not None:
        core = (probability >= rule.core_threshold) & visible
        if np.count_nonzero(core) < rule.core_area:
            return nothing
    mask = np.asarray((probability >= rule.pixel_threshold) & visible)
    if rule.min_area <= 1 and rule.high_threshold is None:
        return mask
    return filter_components(mask, probability, rule.min_area, rule.high_threshold or 0)


def decide_masks(
    presence: npt.NDArray[np.float64],
    top_mean: npt.NDArray[np.floating],
    levels: Levels,
    visible: Mask,
    rules: Rules,
) -> npt.NDArray[np.bool_]:
    """Presences, raw means of the strongest pixels (C each) and levels (C×H×W) of a picture → its masks (C×H×W)."""
    each = zip(presence, levels, rules_of_picture(rules, top_mean), strict=True)
    return np.stack([decide(float(score), level, visible, rule) for score, level, rule in each])


def rules_of_picture(rules: Rules, top_mean: npt.NDArray[np.floating]) -> tuple[Rule, ...]:
    """The rules as they hold for a picture whose strongest pixels reach so far (C)."""
    if not rules.adaptive_power:
        return rules.rules
    followed = adapt_thresholds(top_mean, rules.adaptive_power)
    return tuple(_at_levels(rule, levels) for rule, levels in zip(rules.rules, followed, strict=True))


def _at_levels(rule: Rule, levels: npt.NDArray[np.int64]) -> Rule:
    thresholds = {name: getattr(rule, name) for name in ("pixel_threshold", "high_threshold", "core_threshold")}
    return rule.model_copy(update={name: int(levels[one]) for name, one in thresholds.items() if one is not None})


def adapt_thresholds(top_mean: npt.NDArray[np.floating], power: float) -> npt.NDArray[np.int64]:
    """Means of the strongest pixels (N) → the level (N×256) at which each threshold from 0 to 255 holds.

    >>> follow(np.array([1.0, 0.25]), 0.5)[:, [0, 1, 100, 255]].tolist()
    [[0, 1, 100, 255], [0, 1, 50, 128]]
    """
    # As precise as they are stored, so that the stored and the fresh are followed alike.
    reached = np.maximum(np.asarray(top_mean, np.float32), np.float32(FAINTEST)).astype(np.float64) ** power
    return np.asarray(np.ceil(reached[:, None] * np.arange(256)), np.int64)
