"""The PR curves of a finished run, and the point on them that belongs to a threshold."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from nephoscope.artifacts import EvaluateFolder
from nephoscope.evaluation.precision_recall import reached_at
from nephoscope.evaluation.tables import read_table
from nephoscope.rules.rules import Rules


class Point(BaseModel):
    recall: float
    precision: float


class CurveResponse(BaseModel):
    recall: list[float]
    precision: list[float]
    average_precision: float | None
    tuned: Point | None
    follows: bool = False
    """Thresholds follow each picture: no point of the curve is theirs."""


@dataclass(frozen=True)
class ShownCurve:
    """Thresholds descend, so recall ascends."""

    threshold: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    average_precision: float

    def at(self, threshold: float) -> Point | None:
        """Everything from this threshold up; None above the highest, where nothing is predicted."""
        index = reached_at(self.threshold, threshold)
        return None if index is None else Point(recall=self.recall[index], precision=self.precision[index])

    def answer(self, tuned: Point | None, *, follows: bool = False) -> CurveResponse:
        average = None if np.isnan(self.average_precision) else self.average_precision
        recall, precision = self.recall.tolist(), self.precision.tolist()
        return CurveResponse(
            recall=recall, precision=precision, average_precision=average, tuned=tuned, follows=follows
        )


@dataclass(frozen=True)
class Curves:
    """Per class, in their order."""

    pixels: tuple[ShownCurve, ...]
    presence: tuple[ShownCurve, ...]

    def answer(self, tuned: Rules) -> dict[str, list[CurveResponse]]:
        indices, follows = range(len(tuned.classes)), tuned.adaptive_power > 0
        return {
            "pixels": [self.pixels[index].answer(self.pixel_point(index, tuned), follows=follows) for index in indices],
            "presence": [self.presence[index].answer(self.presence_point(index, tuned)) for index in indices],
        }

    def pixel_point(self, index: int, rules: Rules) -> Point | None:
        """None where thresholds follow each picture: then no point of the curve is theirs."""
        return None if rules.adaptive_power else self.pixels[index].at(rules.rules[index].pixel_threshold / 255)

    def presence_point(self, index: int, rules: Rules) -> Point | None:
        return self.presence[index].at(rules.rules[index].presence_threshold)

    @classmethod
    def read(cls, folder: EvaluateFolder, classes: tuple[str, ...]) -> Self:
        return cls(*(_read(folder, kind, classes) for kind in ("pixels", "presence")))


def _read(folder: EvaluateFolder, kind: str, classes: tuple[str, ...]) -> tuple[ShownCurve, ...]:
    points = read_table(folder.plots / f"{kind}.csv")
    averages = read_table(folder.tables / f"{kind}.csv").set_index("class_name")["average_precision"]
    found = []
    for name in classes:
        rows = points[points["class_name"] == name].sort_values("threshold", ascending=False, kind="stable")
        threshold, recall, precision = rows[["threshold", "recall", "precision"]].to_numpy(np.float64).T
        found.append(ShownCurve(threshold, recall, precision, float(averages[name])))
    return tuple(found)
