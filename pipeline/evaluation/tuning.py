"""Rules tuned on judged pictures: the best mean Dice over presence threshold × pixel threshold × minimum area.

Every map is labelled once per pixel threshold; minimum areas are read from the components' areas, and presence
thresholds from prefix sums over the pictures sorted by presence. So a cell of the grid costs an addition.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from pipeline.evaluation.calibration import fit_calibrations
from pipeline.evaluation.judged import Judged
from pipeline.masks.components import label_components
from pipeline.masks.dice import dice_of_areas
from pipeline.masks.rle import Mask
from pipeline.masks.rule import Calibration, Levels, Rule, Rules, presences

NEVER = 2.0
"""A presence threshold that no presence reaches."""


@dataclass(frozen=True)
class Grid:
    pixel_thresholds: Sequence[int]
    """levels, ascending"""
    min_areas: Sequence[int]
    """pixels at the judged shape, ascending"""


@dataclass(frozen=True)
class Tuned:
    """A tuned rule and the mean Dice it has on the pictures it was tuned on."""

    rule: Rule
    dice: float


def fit_presence(judged: Judged, *, classifier_weight: float, calibrated: bool, force_strongest: bool) -> Rules:
    """Rules whose presence is fitted and whose masks are not decided yet (pixel threshold 0.5, everything present)."""
    present, raw = judged.present(), judged.raw
    plain = tuple(Calibration() for _ in judged.classes)
    return Rules(
        classes=judged.classes,
        judged_shape=judged.truth.judged_shape,
        reading=judged.store.reading,
        classifier_weight=classifier_weight,
        classifier_calibrations=fit_calibrations(raw.classifier, present) if calibrated else plain,
        strongest_calibrations=fit_calibrations(raw.strongest, present) if calibrated else plain,
        force_strongest=force_strongest,
        rules=tuple(Rule(presence_threshold=0, pixel_threshold=128, min_area=0) for _ in judged.classes),
    )


def tune_rules(judged: Judged, fitted: Rules, grid: Grid) -> tuple[Rules, tuple[float, ...]]:
    """Fitted presence → the same with the best rule of the grid per class, and the tuned mean Dice per class.

    Forcing couples the classes, so thresholds are searched without it; it is applied when masks are decided.
    """
    free = fitted.model_copy(update={"force_strongest": False})
    scores, dices, empty = presences(judged.raw, free), dice_table(judged, grid), ~judged.present()
    tuned = [tune_rule(scores[:, c], dices[:, c], empty[:, c], grid) for c in range(len(judged.classes))]
    return fitted.model_copy(update={"rules": tuple(one.rule for one in tuned)}), tuple(one.dice for one in tuned)


def tune_rule(
    presence: npt.NDArray[np.float64], dices: npt.NDArray[np.floating], empty: npt.NDArray[np.bool_], grid: Grid
) -> Tuned:
    """Presence (N), Dice if present (N×T×A), truth empty (N) → the best rule. Of equals the first: the one that
    declares fewest pictures present, then the lowest pixel threshold, then the smallest area."""
    order = np.argsort(-presence, kind="stable")
    # gained[k]: sum over the k most present pictures of what showing their mask gains over leaving it empty
    gained = np.zeros((len(presence) + 1, *dices.shape[1:]))
    np.cumsum(dices[order] - empty[order, None, None], axis=0, out=gained[1:])
    cuts = _cuts(presence[order])
    count, threshold, area = np.unravel_index(np.argmax(gained[cuts]), gained[cuts].shape)
    present_count = int(cuts[count])
    rule = Rule(
        presence_threshold=_between(presence[order], present_count),
        pixel_threshold=grid.pixel_thresholds[int(threshold)],
        min_area=grid.min_areas[int(area)],
    )
    return Tuned(rule, float((gained[present_count, threshold, area] + empty.sum()) / len(presence)))


def _cuts(descending: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """How many pictures may be declared present: equal presences stay together."""
    distinct = np.flatnonzero(descending[1:] < descending[:-1]) + 1
    return np.concatenate(([0], distinct, [len(descending)]))


def _between(descending: npt.NDArray[np.float64], count: int) -> float:
    """The presence threshold that lets just the first `count` pass, as far from both neighbours as can be."""
    if count == 0:
        return NEVER
    if count == len(descending):
        return 0.0
    middle = float((descending[count - 1] + descending[count]) / 2)
    # Two neighbours can be so close that the middle rounds to the lower one, which must not pass.
    return middle if middle > descending[count] else float(descending[count - 1])


def dice_table(judged: Judged, grid: Grid) -> npt.NDArray[np.float64]:
    """Dice of every picture and class in every cell of the grid, if the class is declared present: N×C×T×A."""

    def of_picture(index: int) -> npt.NDArray[np.float64]:
        image = judged[index]
        each = zip(image.levels, image.truth, strict=True)
        return np.stack([dice_of_cells(np.where(image.visible, levels, 0), truth, grid) for levels, truth in each])

    # Threads: OpenCV and NumPy let go of the interpreter's lock while they label and count.
    return np.stack(Parallel(n_jobs=-1, prefer="threads")(delayed(of_picture)(i) for i in range(len(judged))))


def dice_of_cells(levels: Levels, truth: Mask, grid: Grid) -> npt.NDArray[np.float64]:
    """Levels and truth (H×W) of one class → Dice in every cell: T×A."""
    truth_area, min_areas = int(truth.sum()), np.asarray(grid.min_areas)
    table = np.empty((len(grid.pixel_thresholds), len(min_areas)), np.float64)
    for row, threshold in zip(table, grid.pixel_thresholds, strict=True):
        components = label_components(levels >= threshold)
        overlaps = np.bincount(components.labels[truth], minlength=len(components.areas) + 1)[1:]
        kept = components.areas[None, :] >= min_areas[:, None]
        row[:] = dice_of_areas(kept @ overlaps, truth_area, kept @ components.areas)
    return table
