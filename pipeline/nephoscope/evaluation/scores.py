"""Rules applied to judged pictures: Dice of every picture and class, step by step, and the areas behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from nephoscope.errors import UserError
from nephoscope.evaluation.labelled import LabelledImage, LabelledImages
from nephoscope.masks.dice import dice_of_areas
from nephoscope.rules.decide import adapt_rules, decide
from nephoscope.rules.presence import Presences, fuse, presences
from nephoscope.rules.rules import Rule, Rules

Step = Callable[[Rule], Rule]
AT_HALF = Rule(presence_threshold=0, pixel_threshold=128, min_area=0)


def steps_of(rules: Rules) -> dict[str, Step]:
    """Name → step. Every step applies one more part of the rules; parts that no class has are left out."""
    each = rules.rules
    steps: dict[str, tuple[Step, bool]] = {
        "threshold 0.5": (lambda _: AT_HALF, True),
        "tuned pixel threshold": (
            lambda rule: AT_HALF.model_copy(update={"pixel_threshold": rule.pixel_threshold}),
            True,
        ),
        "+ minimum area": (
            lambda rule: rule.model_copy(update={"presence_threshold": 0.0}),
            any(rule.min_area > 1 for rule in each),
        ),
        "+ presence gate": (lambda rule: rule, any(rule.presence_threshold > 0 for rule in each)),
    }
    return {name: step for name, (step, used) in steps.items() if used}


OVERLAP, TRUTH, PREDICTED = range(3)


@dataclass(frozen=True)
class ImageScores:
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    fused: Presences
    """N×C: calibrated and fused, as curves over all thresholds ask for it"""
    presence: Presences
    """N×C: the same, forced where the rules say so, as their thresholds decide it"""
    areas: npt.NDArray[np.int64]
    """N×C×steps×3: overlap, truth, predicted, in pixels at the output shape"""
    steps: tuple[str, ...]
    """their names"""
    pixels: int
    """of one picture at the output shape"""

    @property
    def step_dices(self) -> npt.NDArray[np.float64]:
        """N×C×steps"""
        return dice_of_areas(self.areas[..., OVERLAP], self.areas[..., TRUTH], self.areas[..., PREDICTED])

    @property
    def dices(self) -> npt.NDArray[np.float64]:
        """N×C, by the whole rule"""
        return self.step_dices[..., -1]

    @property
    def final_areas(self) -> npt.NDArray[np.int64]:
        """N×C×3, by the whole rule"""
        return self.areas[:, :, -1]

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        return self.final_areas[..., TRUTH] > 0

    def table(self) -> pd.DataFrame:
        """One row per picture and class."""
        keys = pd.MultiIndex.from_product([self.image_ids, self.classes], names=["image_id", "class_name"])
        overlap, truth, predicted = self.final_areas.reshape(-1, 3).T
        columns = {
            "presence": self.presence.ravel(),
            "truth_area": truth,
            "predicted_area": predicted,
            "overlap": overlap,
            "dice": self.dices.ravel(),
        }
        return pd.DataFrame(columns, index=keys).reset_index()


def score_images(labelled: LabelledImages, rules: Rules) -> ImageScores:
    """Decide every picture by the rules and measure it against truth."""
    if rules.classes != labelled.classes:
        raise UserError(f"rules are for {rules.classes}, probabilities are of {labelled.classes}")
    if rules.inference_settings != labelled.inference_settings:
        raise UserError(
            f"rules were tuned with {rules.inference_settings!r}, "
            f"probabilities were made with {labelled.inference_settings!r}; run `dvc repro tune`"
        )
    presence, steps = presences(labelled.raw, rules), steps_of(rules)
    top_mean = labelled.raw.top_mean
    measure = delayed(
        lambda index: _measure(
            labelled[index], presence[index], adapt_rules(rules, top_mean[index]), tuple(steps.values())
        )
    )
    areas = np.stack(Parallel(n_jobs=-1, prefer="threads")(measure(index) for index in range(len(labelled))))
    height, width = rules.output_shape
    fused = fuse(labelled.raw, rules)
    return ImageScores(labelled.image_ids, labelled.classes, fused, presence, areas, tuple(steps), height * width)


def _measure(
    image: LabelledImage, presence: npt.NDArray[np.float64], rules: Sequence[Rule], steps: Sequence[Step]
) -> npt.NDArray[np.int64]:
    """C×steps×3"""
    areas = np.zeros((len(rules), len(steps), 3), np.int64)
    for index, rule in enumerate(rules):
        truth = image.truth[index]
        for row, step in zip(areas[index], steps, strict=True):
            predicted = decide(float(presence[index]), image.levels[index], image.visible, step(rule))
            row[:] = (truth & predicted).sum(), truth.sum(), predicted.sum()
    return areas
