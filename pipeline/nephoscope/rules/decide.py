"""From presence and probability levels to masks. The only place where masks are decided.

Evaluation, submission, prediction and the app call the same functions, so what is measured is what is delivered.
Tuning computes the Dice of these masks without drawing them; a test compares the two.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.masks.components import filter_components
from nephoscope.masks.rle import Mask
from nephoscope.rules.arrays import MAPS, check_arrays, levels_of, raw_presences_of, visible_of
from nephoscope.rules.presence import presences as decided_presences
from nephoscope.rules.rules import Levels, Rule, Rules

FAINTEST = 0.05
"""Lower bound of the top-fraction mean by which thresholds are scaled."""


def apply_rules(
    rules: Rules, maps: Any, presences: npt.ArrayLike | None = None, *, visible: Any = None
) -> npt.NDArray[np.bool_]:
    """Maps of N images → their masks (N×C×H×W). The arrays are the same as for `tune`.

    maps: N×C×H×W at the output shape, levels (uint8) or probabilities (floats, 0 to 1)
    presences: N×C, scores of the classifier (0 to 1); needed if the rules were tuned with them
    visible: N×H×W, pixels with data (bool); default: all
    """
    check_arrays(maps, visible)
    expected = (len(rules.classes), *rules.output_shape)
    if tuple(maps.shape[1:]) != expected:
        raise UserError(f"{MAPS} have shape {tuple(maps.shape)}; the rules expect {('N', *expected)}")
    needs_classifier = rules.classifier_weight > 0 and rules.classifier_calibrations != rules.top_fraction_calibrations
    if presences is None and needs_classifier:
        raise UserError("these rules were tuned with presences of a classifier; pass its scores as presences (N×C)")
    raw = raw_presences_of(maps, presences, visible, rules.inference_settings.top_fraction)
    masks = np.empty(maps.shape, bool)
    for index, (presence, top_mean) in enumerate(zip(decided_presences(raw, rules), raw.top_mean, strict=True)):
        pixels = visible_of(maps, visible, index)
        masks[index] = decide_masks(presence, top_mean, levels_of(maps, index), pixels, rules)
    return masks


def decide(presence: float, probability: Levels, visible: Mask, rule: Rule) -> Mask:
    """Presence and levels (H×W uint8) of one class → its mask (H×W).

    Order: invisible pixels to level 0, presence, pixel threshold, components.

    >>> rule = Rule(presence_threshold=0.5, pixel_threshold=128, min_area=2)
    >>> levels, visible = np.array([[200, 90, 128, 200]], np.uint8), np.ones((1, 4), bool)
    >>> decide(0.5, levels, visible, rule).astype(int), decide(0.4, levels, visible, rule).any()
    (array([[0, 0, 1, 1]]), np.False_)
    """
    if not presence >= rule.presence_threshold:  # written so that NaN is not present
        return np.zeros(probability.shape, bool)
    # Every threshold is at least 1, so "& visible" equals setting invisible pixels to level 0.
    mask = np.asarray((probability >= rule.pixel_threshold) & visible)
    return mask if rule.min_area <= 1 else filter_components(mask, rule.min_area)


def decide_masks(
    presence: npt.NDArray[np.float64],
    top_mean: npt.NDArray[np.floating],
    levels: Levels,
    visible: Mask,
    rules: Rules,
) -> npt.NDArray[np.bool_]:
    """Presence (C), top-fraction means (C) and levels (C×H×W) of an image → its masks (C×H×W)."""
    classes = zip(presence, levels, adapt_rules(rules, top_mean), strict=True)
    return np.stack([decide(float(score), level, visible, rule) for score, level, rule in classes])


def decide_pixels(
    margins: npt.NDArray[np.float64],
    top_mean: npt.NDArray[np.floating],
    levels: Levels,
    visible: Mask,
    rules: Rules,
) -> npt.NDArray[np.bool_]:
    """Rows of a scene → its masks (C×H×W) before their components are filtered, which needs the whole scene.

    Margins of presence and top-fraction means are fields (C×H×W), or the numbers of a single window (C×1×1).
    """
    masks = np.empty(levels.shape, bool)
    for mask, margin, mean, level, rule in zip(masks, margins, top_mean, levels, rules.rules, strict=True):
        threshold = np.ceil(_factors(mean, rules.adaptive_power) * rule.pixel_threshold)
        np.logical_and(level >= threshold, (margin >= 0) & visible, out=mask)  # a margin of NaN is not present
    return masks


def adapt_rules(rules: Rules, top_mean: npt.NDArray[np.floating]) -> tuple[Rule, ...]:
    """The rule of every class, with pixel thresholds adapted to the top-fraction means (C) of an image."""
    if not rules.adaptive_power:
        return rules.rules
    adapted = adapt_thresholds(top_mean, rules.adaptive_power)
    return tuple(
        rule.model_copy(update={"pixel_threshold": int(levels[rule.pixel_threshold])})
        for rule, levels in zip(rules.rules, adapted, strict=True)
    )


def adapt_thresholds(top_mean: npt.NDArray[np.floating], power: float) -> npt.NDArray[np.int64]:
    """Top-fraction means (N) → adapted thresholds (N×256): column t holds the threshold that replaces t.

    >>> adapt_thresholds(np.array([1.0, 0.25]), 0.5)[:, [0, 1, 100, 255]].tolist()
    [[0, 1, 100, 255], [0, 1, 50, 128]]
    """
    return np.asarray(np.ceil(_factors(top_mean, power)[:, None] * np.arange(256)), np.int64)


def _factors(top_mean: npt.NDArray[np.floating], power: float) -> npt.NDArray[np.float64]:
    """Top-fraction means → the numbers by which pixel thresholds are multiplied."""
    # Rounded to float32, the precision of the store, so that stored and new means give the same thresholds.
    return np.asarray(np.maximum(np.asarray(top_mean, np.float32), np.float32(FAINTEST)).astype(np.float64) ** power)
