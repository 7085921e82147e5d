"""Labelled images: predictions of the networks together with their truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.data.truth import Truth
from nephoscope.errors import UserError
from nephoscope.evaluation.store import ProbabilityStore
from nephoscope.masks.rle import Mask, Shape
from nephoscope.rules.arrays import check_arrays, expect_shape, levels_of, raw_presences_of, visible_of
from nephoscope.rules.presence import RawPresences
from nephoscope.rules.rules import InferenceSettings, Levels

EvaluatedSplit = Literal["validation", "holdout"]
EVALUATED_SPLITS: tuple[EvaluatedSplit, ...] = ("validation", "holdout")


Groups = npt.NDArray[np.int64]


class LabelledImage(NamedTuple):
    image_id: str
    levels: Levels
    """C×H×W"""
    visible: Mask
    """H×W"""
    truth: npt.NDArray[np.bool_]
    """C×H×W"""


class LabelledImages(Protocol):
    """Images to tune or to measure on: from the files of a run (`LabelledSplit`) or from arrays (`LabelledArrays`)."""

    @property
    def image_ids(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def output_shape(self) -> Shape: ...
    @property
    def inference_settings(self) -> InferenceSettings: ...
    @property
    def raw(self) -> RawPresences: ...
    @property
    def groups(self) -> Groups:
        """N: the group of near duplicates of every image, numbered from 0."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> LabelledImage: ...


@dataclass(frozen=True)
class LabelledSplit:
    """The images of one split; maps and masks are read one image at a time."""

    store: ProbabilityStore
    truth: Truth
    near_duplicates: Sequence[Any] | npt.NDArray[Any] | None = field(default=None, repr=False)
    """N: images with the same label are near duplicates; None: there are none"""

    @classmethod
    def open(cls, artifacts: Artifacts, manifest: Manifest, split: EvaluatedSplit) -> Self:
        """The predictions and truth of a split. Raises `UserError` if `prepare` has chosen other images since."""
        rows = manifest.tuning_rows() if split == "validation" else manifest.rows("holdout")
        if len(rows) == 0:
            raise UserError(f"{split} has no images; set prepare.{split}_share above 0")
        path = artifacts.predict.probabilities(split)
        store, expected = ProbabilityStore.open(path), tuple(manifest.images["image_id"].iloc[rows])
        if store.image_ids != expected:
            raise UserError(
                f"{path}: its {len(store)} images differ from the {len(expected)} images of {split} in the manifest; "
                "run `python -m stages.predict` again"
            )
        truth = Truth.load(artifacts.prepare.truth, manifest.metadata)
        return cls(store, truth, manifest.groups(rows).tolist())

    def __post_init__(self) -> None:
        if self.store.classes != self.truth.classes:
            raise UserError(f"the probabilities have classes {self.store.classes}, the truth has {self.truth.classes}")
        if len(self.store) == 0:
            raise UserError("the probability store has no images; run `python -m stages.predict` again")

    @property
    def image_ids(self) -> tuple[str, ...]:
        return self.store.image_ids

    @property
    def classes(self) -> tuple[str, ...]:
        return self.store.classes

    @property
    def output_shape(self) -> Shape:
        return self.truth.output_shape

    @property
    def inference_settings(self) -> InferenceSettings:
        return self.store.inference_settings

    @property
    def raw(self) -> RawPresences:
        return self.store.raw

    @property
    def groups(self) -> Groups:
        return number_groups(self.near_duplicates, len(self))

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> LabelledImage:
        image_id, prediction = self.store.image_ids[index], self.store[index]
        return LabelledImage(image_id, prediction.levels, prediction.visible, self.truth.masks(image_id))

    def __iter__(self) -> Iterator[LabelledImage]:
        return (self[index] for index in range(len(self)))

    def take(self, rows: npt.NDArray[np.int64]) -> Self:
        """These images, in this order."""
        duplicates = self.near_duplicates
        chosen = None if duplicates is None else np.asarray(duplicates)[rows].tolist()
        return replace(self, store=self.store.take(rows), near_duplicates=chosen)


TRUTHS = "truths (N×C×H×W)"


@dataclass(frozen=True)
class LabelledArrays:
    """Arrays, read one image at a time: memory maps may be larger than the memory."""

    maps: Any
    truths: Any
    visible: Any
    """None: all pixels are visible"""
    classes: tuple[str, ...]
    raw: RawPresences
    inference_settings: InferenceSettings
    groups: Groups

    @property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(map(str, range(len(self))))

    @property
    def output_shape(self) -> Shape:
        height, width = self.maps.shape[2:]
        return height, width

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, index: int) -> LabelledImage:
        truth = np.asarray(self.truths[index])
        if truth.dtype != bool and not np.isin(truth, (0, 1)).all():
            raise UserError(
                f"{TRUTHS}: image {index} has values {np.unique(truth)[:5]}; expected false and true, or 0 and 1"
            )
        levels, visible = levels_of(self.maps, index), visible_of(self.maps, self.visible, index)
        return LabelledImage(str(index), levels, visible, truth.astype(bool))


def label_arrays(
    maps: Any,
    truths: Any,
    presences: npt.ArrayLike | None = None,
    *,
    classes: Sequence[str] | None = None,
    visible: Any = None,
    groups: Sequence[Any] | npt.NDArray[Any] | None = None,
    top_fraction: float = 0.1,
) -> LabelledArrays:
    """Maps and truths (N×C×H×W), presences (N×C), visible pixels (N×H×W) and groups (N) → labelled images.

    Maps are levels (uint8) or probabilities (floats, 0 to 1). Default for presences: the top-fraction means.
    """
    check_arrays(maps, visible)
    expect_shape(TRUTHS, truths.shape, maps.shape)
    names = tuple(classes) if classes is not None else tuple(f"class {index}" for index in range(maps.shape[1]))
    if len(set(names)) != maps.shape[1]:
        raise UserError(f"classes: {len(set(names))} different names; expected {maps.shape[1]}, one per class")
    raw = raw_presences_of(maps, presences, visible, top_fraction)
    numbers = number_groups(groups, len(maps))
    return LabelledArrays(maps, truths, visible, names, raw, InferenceSettings(top_fraction=top_fraction), numbers)


def number_groups(groups: Sequence[Any] | npt.NDArray[Any] | None, count: int) -> Groups:
    """Any labels of groups (N) → numbers from 0, in the order of their first image; None: every image is its own.

    >>> number_groups(["b", "a", "b"], 3).tolist()
    [0, 1, 0]
    """
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise UserError(f"groups: {len(groups)} values; expected {count}, one per image")
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in np.asarray(groups).tolist()], np.int64)
