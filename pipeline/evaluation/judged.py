"""A judged picture: what the networks say of it beside what is true."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.data.truth import Truth
from pipeline.evaluation.store import ProbabilityStore
from pipeline.masks.rle import Mask
from pipeline.masks.rule import Levels, RawPresences
from pipeline.mendable import Mendable


class JudgedImage(NamedTuple):
    image_id: str
    levels: Levels
    """C×H×W"""
    visible: Mask
    """H×W"""
    truth: npt.NDArray[np.bool_]
    """C×H×W"""


@dataclass(frozen=True)
class Judged:
    """The pictures of one split; maps and masks are read one picture at a time."""

    store: ProbabilityStore
    truth: Truth

    def __post_init__(self) -> None:
        if self.store.classes != self.truth.classes:
            raise Mendable(f"probabilities are of {self.store.classes}, truth is of {self.truth.classes}")
        if len(self.store) == 0:
            raise Mendable("the probability store holds no picture; nothing can be tuned or measured on it")

    @property
    def classes(self) -> tuple[str, ...]:
        return self.store.classes

    @property
    def raw(self) -> RawPresences:
        return self.store.raw

    def present(self) -> npt.NDArray[np.bool_]:
        """Which class is truly present in which picture: N×C."""
        rles = self.truth.rles
        return np.array([[bool(rles.get((i, name))) for name in self.classes] for i in self.store.image_ids])

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> JudgedImage:
        image_id, prediction = self.store.image_ids[index], self.store[index]
        return JudgedImage(image_id, prediction.levels, prediction.visible, self.truth.masks(image_id))

    def __iter__(self) -> Iterator[JudgedImage]:
        return (self[index] for index in range(len(self)))
