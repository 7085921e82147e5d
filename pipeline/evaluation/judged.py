"""A judged picture: what the networks say of it beside what is true."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from pipeline.artifacts import Artifacts
from pipeline.data.manifest import Manifest
from pipeline.data.truth import Truth
from pipeline.evaluation.store import ProbabilityStore
from pipeline.masks.rle import Mask, Shape
from pipeline.masks.rule import Levels, RawPresences, Reading
from pipeline.mendable import Mendable

JudgedSplit = Literal["validation", "holdout"]
JUDGED_SPLITS: tuple[JudgedSplit, ...] = ("validation", "holdout")


class JudgedImage(NamedTuple):
    image_id: str
    levels: Levels
    """C×H×W"""
    visible: Mask
    """H×W"""
    truth: npt.NDArray[np.bool_]
    """C×H×W"""


class JudgedImages(Protocol):
    """Pictures to tune or to measure on, wherever their maps and masks come from."""

    @property
    def image_ids(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def judged_shape(self) -> Shape: ...
    @property
    def reading(self) -> Reading: ...
    @property
    def raw(self) -> RawPresences: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> JudgedImage: ...


@dataclass(frozen=True)
class Judged:
    """The pictures of one split; maps and masks are read one picture at a time."""

    store: ProbabilityStore
    truth: Truth

    @classmethod
    def open(cls, artifacts: Artifacts, manifest: Manifest, split: JudgedSplit) -> Self:
        """What `predict` said of a split beside its truth; refused where `prepare` has chosen other pictures since."""
        rows = manifest.tuning_rows() if split == "validation" else manifest.rows("holdout")
        if len(rows) == 0:
            raise Mendable(f"no picture is kept for {split}; give prepare.{split}_share more than 0")
        path = artifacts.predict.probabilities(split)
        store, expected = ProbabilityStore.open(path), tuple(manifest.images["image_id"].iloc[rows])
        if store.image_ids != expected:
            raise Mendable(
                f"{path}: its {len(store)} pictures are not the {len(expected)} that the manifest has for {split}; "
                "`python -m stages.predict` makes them anew"
            )
        return cls(store, Truth.load(artifacts.prepare.truth, manifest.facts))

    def __post_init__(self) -> None:
        if self.store.classes != self.truth.classes:
            raise Mendable(f"probabilities are of {self.store.classes}, truth is of {self.truth.classes}")
        if len(self.store) == 0:
            raise Mendable("the probability store holds no picture; nothing can be tuned or measured on it")

    @property
    def image_ids(self) -> tuple[str, ...]:
        return self.store.image_ids

    @property
    def classes(self) -> tuple[str, ...]:
        return self.store.classes

    @property
    def judged_shape(self) -> Shape:
        return self.truth.judged_shape

    @property
    def reading(self) -> Reading:
        return self.store.reading

    @property
    def raw(self) -> RawPresences:
        return self.store.raw

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> JudgedImage:
        image_id, prediction = self.store.image_ids[index], self.store[index]
        return JudgedImage(image_id, prediction.levels, prediction.visible, self.truth.masks(image_id))

    def __iter__(self) -> Iterator[JudgedImage]:
        return (self[index] for index in range(len(self)))
