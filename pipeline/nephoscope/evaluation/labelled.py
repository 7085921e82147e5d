"""A judged picture: what the networks say of it beside what is true."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.data.truth import Truth
from nephoscope.errors import UserError
from nephoscope.evaluation.store import ProbabilityStore
from nephoscope.masks.rle import Mask, Shape
from nephoscope.rules.presence import RawPresences, top_fraction_mean
from nephoscope.rules.rules import InferenceSettings, Levels

EvaluatedSplit = Literal["validation", "holdout"]
EVALUATED_SPLITS: tuple[EvaluatedSplit, ...] = ("validation", "holdout")


class LabelledImage(NamedTuple):
    image_id: str
    levels: Levels
    """C×H×W"""
    visible: Mask
    """H×W"""
    truth: npt.NDArray[np.bool_]
    """C×H×W"""


class LabelledImages(Protocol):
    """Pictures to tune or to measure on, wherever their maps and masks come from."""

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
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> LabelledImage: ...


@dataclass(frozen=True)
class LabelledSplit:
    """The pictures of one split; maps and masks are read one picture at a time."""

    store: ProbabilityStore
    truth: Truth

    @classmethod
    def open(cls, artifacts: Artifacts, manifest: Manifest, split: EvaluatedSplit) -> Self:
        """What `predict` said of a split beside its truth; refused where `prepare` has chosen other pictures since."""
        rows = manifest.tuning_rows() if split == "validation" else manifest.rows("holdout")
        if len(rows) == 0:
            raise UserError(f"no picture is kept for {split}; give prepare.{split}_share more than 0")
        path = artifacts.predict.probabilities(split)
        store, expected = ProbabilityStore.open(path), tuple(manifest.images["image_id"].iloc[rows])
        if store.image_ids != expected:
            raise UserError(
                f"{path}: its {len(store)} pictures are not the {len(expected)} that the manifest has for {split}; "
                "`python -m stages.predict` makes them anew"
            )
        return cls(store, Truth.load(artifacts.prepare.truth, manifest.metadata))

    def __post_init__(self) -> None:
        if self.store.classes != self.truth.classes:
            raise UserError(f"probabilities are of {self.store.classes}, truth is of {self.truth.classes}")
        if len(self.store) == 0:
            raise UserError("the probability store holds no picture; nothing can be tuned or measured on it")

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

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> LabelledImage:
        image_id, prediction = self.store.image_ids[index], self.store[index]
        return LabelledImage(image_id, prediction.levels, prediction.visible, self.truth.masks(image_id))

    def __iter__(self) -> Iterator[LabelledImage]:
        return (self[index] for index in range(len(self)))


MAPS, TRUTHS, PRESENCES, VISIBLE = "maps (N×C×H×W)", "truths (N×C×H×W)", "presences (N×C)", "visible (N×H×W)"


@dataclass(frozen=True)
class LabelledArrays:
    """Arrays are read one picture at a time, so memory maps larger than memory serve as well."""

    maps: Any
    truths: Any
    visible: Any
    """None: everything was seen"""
    classes: tuple[str, ...]
    raw: RawPresences
    inference_settings: InferenceSettings

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
        levels, truth = _levels(self.maps[index], index), np.asarray(self.truths[index])
        if truth.dtype != bool and not np.isin(truth, (0, 1)).all():
            raise UserError(
                f"{TRUTHS}: picture {index} holds {np.unique(truth)[:5]}; expected false and true, or 0 and 1"
            )
        return LabelledImage(str(index), levels, _seen(self.visible, index, levels), truth.astype(bool))


def label_arrays(
    maps: Any,
    truths: Any,
    presences: npt.ArrayLike | None = None,
    *,
    classes: Sequence[str] | None = None,
    visible: Any = None,
    top_fraction: float = 0.1,
) -> LabelledArrays:
    """Maps and truths (N×C×H×W), presences (N×C) and what was seen (N×H×W) → judged pictures.

    Maps are levels (uint8) or probabilities (floats in [0, 1]). Without presences, the strongest pixels speak for them.
    """
    if len(maps.shape) != 4 or 0 in maps.shape:
        raise UserError(f"{MAPS} have shape {tuple(maps.shape)}; expected four axes, none of them empty")
    _expect(TRUTHS, truths.shape, maps.shape)
    if visible is not None:
        _expect(VISIBLE, visible.shape, (maps.shape[0], *maps.shape[2:]))
    names = tuple(classes) if classes is not None else tuple(f"class {index}" for index in range(maps.shape[1]))
    if len(set(names)) != maps.shape[1]:
        raise UserError(f"classes: {len(set(names))} different names for {maps.shape[1]} classes")
    top_mean = _top_means(maps, visible, top_fraction)
    scores = top_mean if presences is None else _scores(presences, maps.shape[:2])
    return LabelledArrays(
        maps, truths, visible, names, RawPresences(scores, top_mean), InferenceSettings(top_fraction=top_fraction)
    )


def _expect(name: str, found: Sequence[int], expected: Sequence[int]) -> None:
    if tuple(found) != tuple(expected):
        raise UserError(f"{name}: shape {tuple(found)}; expected {tuple(expected)}, to go with the maps")


def _scores(presences: npt.ArrayLike, shape: Sequence[int]) -> npt.NDArray[np.float64]:
    scores = np.asarray(presences, np.float64)
    _expect(PRESENCES, scores.shape, shape)
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        raise UserError(f"{PRESENCES}: picture {np.argwhere(wrong)[0][0]} has {scores[wrong][0]}; expected 0 to 1")
    return scores


def _levels(maps: npt.ArrayLike, index: int) -> Levels:
    found = np.asarray(maps)
    if found.dtype == np.uint8:
        return found
    if not np.issubdtype(found.dtype, np.floating):
        raise UserError(f"{MAPS} are {found.dtype}; expected levels as uint8, or probabilities as floats")
    if not ((found >= 0) & (found <= 1)).all():  # NaN fails too
        raise UserError(f"{MAPS}: picture {index} holds {found.min()} to {found.max()}; probabilities are 0 to 1")
    return np.round(found * 255).astype(np.uint8)


def _seen(visible: Any, index: int, levels: Levels) -> npt.NDArray[np.bool_]:
    return np.ones(levels.shape[1:], bool) if visible is None else np.asarray(visible[index], bool)


def _top_means(maps: Any, visible: Any, share: float) -> npt.NDArray[np.float64]:
    def of_picture(index: int) -> npt.NDArray[np.float64]:
        levels = _levels(maps[index], index)
        return top_fraction_mean(levels, _seen(visible, index, levels), share)

    return np.stack(Parallel(n_jobs=-1, prefer="threads")(delayed(of_picture)(index) for index in range(len(maps))))
