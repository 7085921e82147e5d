"""Which pictures a page shows: best, median and worst, each picture once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.error_types import RIGHTLY_EMPTY, error_types_of
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.figures.overlays import outline_confusion
from nephoscope.masks.geometry import Image, gallery_shape, resize_image, resize_mask
from nephoscope.masks.rle import Shape
from nephoscope.report.images import to_data_uris
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.presence import presences
from nephoscope.rules.rules import Rules


def choose_worst(pictures: pd.DataFrame, count: int) -> list[str]:
    """image_ids, worst first; `pictures` are sorted that way."""
    return pictures["image_id"].head(count).tolist()


def choose_best(showing: pd.DataFrame, count: int, taken: Collection[str]) -> list[str]:
    """image_ids, best first, of `showing` (worst first) that are not taken yet."""
    return _left(showing, taken)[::-1][:count]


def choose_median(showing: pd.DataFrame, count: int, taken: Collection[str]) -> list[str]:
    """image_ids around the median of `showing`, worst first, that are not taken yet."""
    ranks = {image_id: rank for rank, image_id in enumerate(showing["image_id"])}
    middle = (len(ranks) - 1) / 2
    nearest = sorted(_left(showing, taken), key=lambda image_id: abs(ranks[image_id] - middle))
    return sorted(nearest[:count], key=lambda image_id: ranks[image_id])


def that_show_a_class(pictures: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A picture without classes that is left empty is right, but shows nothing."""
    shows = scores.loc[scores["truth_area"] > 0, "image_id"]
    return pictures[pictures["image_id"].isin(shows)]


def _left(pictures: pd.DataFrame, taken: Collection[str]) -> list[str]:
    return [image_id for image_id in pictures["image_id"] if image_id not in taken]


Masks = npt.NDArray[np.bool_]
BUDGET = 5_200_000
"""characters of all pictures of a page together, of ten million that a page may have"""


@dataclass(frozen=True)
class Overlay:
    class_name: str
    kind: str
    dice: float
    presence: float
    paths: Mapping[str, str]
    """Outcome → the path of an SVG, in pixels of the gallery's shape"""


@dataclass(frozen=True)
class Shown:
    image_id: str
    dice: float
    source: str
    shape: Shape
    overlays: tuple[Overlay, ...]
    """of the classes that are annotated or predicted"""


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    pictures: tuple[Shown, ...]


@dataclass(frozen=True)
class Gallery:
    """Shows judged pictures as the rules decide them."""

    labelled: LabelledSplit
    rules: Rules
    manifest: Manifest
    cache: Cache
    scores: pd.DataFrame

    def show_groups(self, pictures: pd.DataFrame, best: int, median: int, worst: int) -> tuple[Group, ...]:
        """`pictures` (worst first) → so many of each, each picture once; a group without pictures is left out."""
        showing = that_show_a_class(pictures, self.scores)
        of_worst = choose_worst(pictures, worst)
        of_best = choose_best(showing, best, set(of_worst))
        of_median = choose_median(showing, median, {*of_worst, *of_best})
        shown = iter(self.show([*of_best, *of_median, *of_worst]))
        groups = (
            ("best", "The best of those that show a class", of_best),
            ("median", "Around the median of those that show a class", of_median),
            ("worst", "The worst", of_worst),
        )
        return tuple(Group(name, title, tuple(next(shown) for _ in ids)) for name, title, ids in groups if ids)

    def show(self, image_ids: Sequence[str]) -> tuple[Shown, ...]:
        sources = to_data_uris([self._image(image_id) for image_id in image_ids], BUDGET)
        return tuple(self._show(image_id, source) for image_id, source in zip(image_ids, sources, strict=True))

    def _image(self, image_id: str) -> Image:
        """As the cache has it, or smaller: a page stretches a picture as well as anybody."""
        row = self.manifest.images.index[self.manifest.images["image_id"] == image_id][0]
        image = np.asarray(self.cache.images[row])
        shape = gallery_shape(self.rules.output_shape)
        return resize_image(image, shape) if shape[0] < image.shape[0] else image

    def _show(self, image_id: str, source: str) -> Shown:
        index, shape = self.labelled.store.image_ids.index(image_id), gallery_shape(self.rules.output_shape)
        labelled, raw = self.labelled[index], self.labelled.raw
        presence, top_mean = presences(raw, self.rules)[index], raw.top_mean[index]
        predicted = decide_masks(presence, top_mean, labelled.levels, labelled.visible, self.rules)
        rows = self.scores[self.scores["image_id"] == image_id]
        overlays = tuple(self._overlays(rows, labelled.truth, predicted, shape))
        return Shown(image_id, float(rows["dice"].mean()), source, shape, overlays)

    def _overlays(self, rows: pd.DataFrame, truth: Masks, predicted: Masks, shape: Shape) -> list[Overlay]:
        columns = rows.assign(kind=error_types_of(rows)).set_index("class_name")[["kind", "dice", "presence"]]
        evaluation = columns.T.to_dict()
        overlays = []
        for name, true, decided in zip(self.rules.classes, truth, predicted, strict=True):
            if evaluation[name]["kind"] != RIGHTLY_EMPTY:
                paths = outline_confusion(resize_mask(true, shape), resize_mask(decided, shape))
                overlays.append(Overlay(name, **evaluation[name], paths=paths))
        return overlays
