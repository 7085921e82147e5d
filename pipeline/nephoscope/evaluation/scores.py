"""Rules applied to labelled images: areas and Dice of every image and class, for every step of the rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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


def steps_of(*all_rules: Rules) -> dict[str, Step]:
    """Name → step. Every step applies one more part of the rules; parts that no class of any rules has are left out."""
    every_rule = [rule for rules in all_rules for rule in rules.rules]
    steps: dict[str, tuple[Step, bool]] = {
        "threshold 0.5": (lambda _: AT_HALF, True),
        "tuned pixel threshold": (
            lambda rule: AT_HALF.model_copy(update={"pixel_threshold": rule.pixel_threshold}),
            True,
        ),
        "+ minimum area": (
            lambda rule: rule.model_copy(update={"presence_threshold": 0.0}),
            any(rule.min_area > 1 for rule in every_rule),
        ),
        "+ presence threshold": (lambda rule: rule, any(rule.presence_threshold > 0 for rule in every_rule)),
    }
    return {name: step for name, (step, used) in steps.items() if used}


OVERLAP, TRUTH, PREDICTED = range(3)


@dataclass(frozen=True)
class ImageScores:
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    fused: Presences
    """N×C: calibrated and fused presence"""
    presence: Presences
    """N×C: the same after forcing the top class, as compared with the presence thresholds"""
    areas: npt.NDArray[np.int64]
    """N×C×steps×3: overlap, truth, predicted, in pixels at the output shape"""
    steps: tuple[str, ...]
    """Names of the steps; the last step is the whole rule"""
    pixels: int
    """Pixels of one image at the output shape"""

    @property
    def step_dices(self) -> npt.NDArray[np.float64]:
        """N×C×steps"""
        return dice_of_areas(self.areas[..., OVERLAP], self.areas[..., TRUTH], self.areas[..., PREDICTED])

    @property
    def dices(self) -> npt.NDArray[np.float64]:
        """N×C, of the whole rule"""
        return self.step_dices[..., -1]

    @property
    def final_areas(self) -> npt.NDArray[np.int64]:
        """N×C×3, of the whole rule"""
        return self.areas[:, :, -1]

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """N×C, in truth"""
        return self.final_areas[..., TRUTH] > 0

    def take(self, rows: npt.NDArray[np.int64]) -> "ImageScores":
        """These images, in this order."""
        image_ids = tuple(self.image_ids[row] for row in rows)
        return replace(
            self, image_ids=image_ids, fused=self.fused[rows], presence=self.presence[rows], areas=self.areas[rows]
        )

    def table(self) -> pd.DataFrame:
        """A row per image and class: presence, areas of truth, prediction and overlap in pixels, and Dice."""
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


def join_scores(parts: Sequence[ImageScores]) -> ImageScores:
    """Scores of several groups of images, each by its own rules, with the same steps."""
    return replace(
        parts[0],
        image_ids=tuple(name for part in parts for name in part.image_ids),
        fused=np.concatenate([part.fused for part in parts]),
        presence=np.concatenate([part.presence for part in parts]),
        areas=np.concatenate([part.areas for part in parts]),
    )


def score_images(labelled: LabelledImages, rules: Rules, steps: Mapping[str, Step] | None = None) -> ImageScores:
    """Decide every image by the rules and compare its masks with the truth. Default for steps: those of the rules."""
    if rules.classes != labelled.classes:
        raise UserError(f"the rules have classes {rules.classes}, the probabilities have {labelled.classes}")
    if rules.inference_settings != labelled.inference_settings:
        raise UserError(
            f"the rules were tuned with {rules.inference_settings!r}, the probabilities were predicted with "
            f"{labelled.inference_settings!r}; run `dvc repro tune`"
        )
    presence, steps = presences(labelled.raw, rules), steps or steps_of(rules)
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
    """C×steps×3: overlap, truth, predicted"""
    areas = np.zeros((len(rules), len(steps), 3), np.int64)
    for index, rule in enumerate(rules):
        truth = image.truth[index]
        for row, step in zip(areas[index], steps, strict=True):
            predicted = decide(float(presence[index]), image.levels[index], image.visible, step(rule))
            row[:] = (truth & predicted).sum(), truth.sum(), predicted.sum()
    return areas
