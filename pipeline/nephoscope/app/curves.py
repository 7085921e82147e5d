"""Precision-recall curves of a finished run, and the point of a threshold on them."""

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
    adaptive: bool = False
    """Thresholds differ per image, so no point of the curve stands for them."""


@dataclass(frozen=True)
class Curve:
    """Points of one class; thresholds descend, so recall ascends."""

    threshold: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    average_precision: float

    def at(self, threshold: float) -> Point | None:
        """Point of all scores at or above the threshold; None if there are none."""
        index = reached_at(self.threshold, threshold)
        return None if index is None else Point(recall=self.recall[index], precision=self.precision[index])

    def to_response(self, tuned: Point | None, *, adaptive: bool = False) -> CurveResponse:
        return CurveResponse(
            recall=self.recall.tolist(),
            precision=self.precision.tolist(),
            average_precision=None if np.isnan(self.average_precision) else self.average_precision,
            tuned=tuned,
            adaptive=adaptive,
        )


@dataclass(frozen=True)
class Curves:
    """One curve per class, in the order of the classes."""

    pixels: tuple[Curve, ...]
    presence: tuple[Curve, ...]

    def to_response(self, tuned: Rules) -> dict[str, list[CurveResponse]]:
        adaptive = tuned.adaptive_power > 0
        return {
            "pixels": [
                curve.to_response(self.pixel_point(index, tuned), adaptive=adaptive)
                for index, curve in enumerate(self.pixels)
            ],
            "presence": [
                curve.to_response(self.presence_point(index, tuned)) for index, curve in enumerate(self.presence)
            ],
        }

    def pixel_point(self, index: int, rules: Rules) -> Point | None:
        """None also if thresholds are adaptive."""
        return None if rules.adaptive_power else self.pixels[index].at(rules.rules[index].pixel_threshold / 255)

    def presence_point(self, index: int, rules: Rules) -> Point | None:
        return self.presence[index].at(rules.rules[index].presence_threshold)

    @classmethod
    def read(cls, folder: EvaluateFolder, classes: tuple[str, ...]) -> Self:
        return cls(*(_read(folder, kind, classes) for kind in ("pixels", "presence")))


def _read(folder: EvaluateFolder, kind: str, classes: tuple[str, ...]) -> tuple[Curve, ...]:
    points = read_table(folder.plots / f"{kind}.csv")
    averages = read_table(folder.tables / f"{kind}.csv").set_index("class_name")["average_precision"]
    curves = []
    for name in classes:
        rows = points[points["class_name"] == name].sort_values("threshold", ascending=False, kind="stable")
        threshold, recall, precision = rows[["threshold", "recall", "precision"]].to_numpy(np.float64).T
        curves.append(Curve(threshold, recall, precision, float(averages[name])))
    return tuple(curves)
