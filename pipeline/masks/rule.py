"""The rule between the networks and the mask: `presences` and `decide`, the only ones there are.

Evaluation, submission, prediction and the app all call these two, so what is measured is what is delivered. Tuning
finds the Dice of what they would decide without drawing a mask; tests hold the two to the same figure.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.masks.components import filter_components
from pipeline.masks.rle import Mask, Shape

Levels = npt.NDArray[np.uint8]
Level = Annotated[int, Field(ge=1, le=255)]
Flip = Literal["none", "horizontal", "vertical", "both"]
Presences = npt.NDArray[np.float64]
"""N×C, each in [0, 1]."""
SURE = 2 / 3
"""Confidence below which a decision on presence is marked unsure: wrong more often than once in three."""
NEVER = 2.0
"""A presence threshold that no presence reaches."""
FAINTEST = 0.05
"""Strongest pixels below this are followed no further down."""


class Rule(BaseModel):
    """How one class is decided. Thresholds and areas compare with >=; areas are pixels at the judged shape."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    presence_threshold: float = Field(ge=0)
    pixel_threshold: Level
    min_area: int = Field(ge=0)
    seed_threshold: Level | None = None
    core_threshold: Level | None = None
    core_area: int = Field(0, ge=0)


class Calibration(BaseModel):
    """A raw score → sigmoid(slope · logit(score) + intercept). The default leaves it as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    slope: float = 1.0
    intercept: float = 0.0


class Reading(BaseModel):
    """How raw numbers are read off the networks. Rules hold for the reading they were tuned on, and for no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    flips: tuple[Flip, ...] = Field(("none",), min_length=1)
    """Views of a picture whose probabilities are averaged."""
    strongest_share: float = Field(0.1, gt=0, le=1)
    """Share of the visible pixels, strongest first, whose mean speaks for presence."""
    classifiers: int | None = Field(None, ge=1)
    """So many, the first of those trained, see a new picture; None: all."""
    segmenters: int | None = Field(None, ge=1)


class Rules(BaseModel):
    """Everything between raw probabilities and masks, for all classes in the order of `classes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    classes: tuple[str, ...]
    judged_shape: Shape
    reading: Reading
    classifier_weight: float = Field(ge=0, le=1)
    """Share of the classifier in the fused presence; the rest is the strongest pixels'."""
    classifier_calibrations: tuple[Calibration, ...]
    strongest_calibrations: tuple[Calibration, ...]
    force_strongest: bool = False
    follow_strongest: float = Field(0, ge=0)
    """How far thresholds on pixels follow a picture's own strongest pixels: threshold × strongest ** this; 0: not."""
    chance_calibrations: tuple[Calibration, ...] | None = None
    """From the fused presence to the chance that the class is there; what is decided does not depend on it."""
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        given = ("chance_calibrations",) if self.chance_calibrations is not None else ()
        for name in ("classifier_calibrations", "strongest_calibrations", "rules", *given):
            if len(getattr(self, name)) != len(self.classes):
                raise ValueError(f"{name}: {len(getattr(self, name))} for {len(self.classes)} classes")
        return self


@dataclass(frozen=True)
class RawPresences:
    """What the networks say of presence, N×C each: the classifier, and the mean of the strongest visible pixels."""

    classifier: npt.NDArray[np.floating]
    strongest: npt.NDArray[np.floating]


def fuse(raw: RawPresences, rules: Rules) -> Presences:
    """Raw presences → one calibrated number per picture and class, which knows nothing of thresholds."""
    weight = rules.classifier_weight
    fused = weight * calibrate(raw.classifier, rules.classifier_calibrations)
    fused += (1 - weight) * calibrate(raw.strongest, rules.strongest_calibrations)
    return fused


def presences(raw: RawPresences, rules: Rules) -> Presences:
    """Raw presences → what is held against the presence thresholds: fused, and forced where the rules say so."""
    fused = fuse(raw, rules)
    if not rules.force_strongest:
        return fused
    thresholds = np.array([rule.presence_threshold for rule in rules.rules])
    # No presence exceeds 1: a class whose threshold does is never present, and stands in no other's way.
    possible = thresholds <= 1
    absent = (fused < thresholds).all(axis=1) & possible.any()
    strongest = np.where(possible, fused, -np.inf).argmax(axis=1)
    # Raised just to its threshold: enough to be decided present, no more confident than that.
    fused[absent, strongest[absent]] = thresholds[strongest[absent]]
    return fused


class Verdict(NamedTuple):
    """What is said of the presence of every class (N×C each)."""

    chance: Presences
    """that the class is there: among pictures of 0.7, seven in ten"""
    present: npt.NDArray[np.bool_]
    """as the rule decides it; a mask may still turn out empty, for all its components are too small"""

    @property
    def confidence(self) -> Presences:
        """Chance that the decision is right. A rule goes for Dice and may say no to what is likelier than not."""
        return np.where(self.present, self.chance, 1 - self.chance)

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        return self.confidence < SURE


def judge_presence(raw: RawPresences, rules: Rules) -> Verdict:
    """Raw presences → what is said of each picture and class."""
    presence = presences(raw, rules)
    thresholds = np.array([rule.presence_threshold for rule in rules.rules])
    fused = fuse(raw, rules)
    chance = fused if rules.chance_calibrations is None else calibrate(fused, rules.chance_calibrations)
    return Verdict(chance, presence >= thresholds)


def calibrate(scores: npt.NDArray[np.floating], calibrations: tuple[Calibration, ...]) -> Presences:
    """Scores (N×C in [0, 1]) → calibrated presences (N×C)."""
    slopes = np.array([calibration.slope for calibration in calibrations])
    intercepts = np.array([calibration.intercept for calibration in calibrations])
    return np.asarray(1 / (1 + np.exp(-(slopes * logit(scores) + intercepts))), np.float64)


def logit(scores: npt.NDArray[np.floating]) -> Presences:
    """Scores in [0, 1] → logits; 0 and 1 are brought just inside, so that all stay finite."""
    inside = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


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
    if rule.min_area <= 1 and rule.seed_threshold is None:
        return mask
    return filter_components(mask, probability, rule.min_area, rule.seed_threshold or 0)


def decide_masks(
    presence: npt.NDArray[np.float64],
    strongest: npt.NDArray[np.floating],
    levels: Levels,
    visible: Mask,
    rules: Rules,
) -> npt.NDArray[np.bool_]:
    """Presences, raw means of the strongest pixels (C each) and levels (C×H×W) of a picture → its masks (C×H×W)."""
    each = zip(presence, levels, rules_of_picture(rules, strongest), strict=True)
    return np.stack([decide(float(score), level, visible, rule) for score, level, rule in each])


def rules_of_picture(rules: Rules, strongest: npt.NDArray[np.floating]) -> tuple[Rule, ...]:
    """The rules as they hold for a picture whose strongest pixels reach so far (C)."""
    if not rules.follow_strongest:
        return rules.rules
    followed = follow(strongest, rules.follow_strongest)
    return tuple(_at_levels(rule, levels) for rule, levels in zip(rules.rules, followed, strict=True))


def _at_levels(rule: Rule, levels: npt.NDArray[np.int64]) -> Rule:
    thresholds = {name: getattr(rule, name) for name in ("pixel_threshold", "seed_threshold", "core_threshold")}
    return rule.model_copy(update={name: int(levels[one]) for name, one in thresholds.items() if one is not None})


def follow(strongest: npt.NDArray[np.floating], power: float) -> npt.NDArray[np.int64]:
    """Means of the strongest pixels (N) → the level (N×256) at which each threshold from 0 to 255 holds.

    >>> follow(np.array([1.0, 0.25]), 0.5)[:, [0, 1, 100, 255]].tolist()
    [[0, 1, 100, 255], [0, 1, 50, 128]]
    """
    # As precise as they are stored, so that the stored and the fresh are followed alike.
    reached = np.maximum(np.asarray(strongest, np.float32), np.float32(FAINTEST)).astype(np.float64) ** power
    return np.asarray(np.ceil(reached[:, None] * np.arange(256)), np.int64)


def strongest_mean(levels: Levels, visible: Mask, share: float) -> npt.NDArray[np.float64]:
    """Mean probability (C) of this share of the visible pixels, strongest first, from levels (C×H×W)."""
    seen = np.ascontiguousarray(visible).view(np.uint8)
    histograms = [cv2.calcHist([level], [0], seen, [256], [0, 256]).ravel() for level in np.ascontiguousarray(levels)]
    counts = np.stack(histograms).astype(np.int64)[:, ::-1]
    wanted = max(1, round(share * counts[0].sum()))
    before = np.cumsum(counts, axis=1) - counts
    taken = np.clip(wanted - before, 0, counts)
    return np.asarray(taken @ np.arange(255, -1, -1) / (255 * max(1, taken[0].sum())), np.float64)
