"""Chapter "Images": the best, median and worst images, each shown once, with an overlay per class."""

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

Masks = npt.NDArray[np.bool_]
BUDGET = 5_200_000
"""characters for all gallery images together, of the ten million that a page may have"""


def choose_worst(images: pd.DataFrame, count: int) -> list[str]:
    """`images` sorted worst first → the first image_ids."""
    return images["image_id"].head(count).tolist()


def choose_best(images: pd.DataFrame, count: int, taken: Collection[str]) -> list[str]:
    """`images` sorted worst first → image_ids best first, without those already taken."""
    return _without(images, taken)[::-1][:count]


def choose_median(images: pd.DataFrame, count: int, taken: Collection[str]) -> list[str]:
    """`images` sorted worst first → image_ids around the median, worst first, without those already taken."""
    ranks = {image_id: rank for rank, image_id in enumerate(images["image_id"])}
    middle = (len(ranks) - 1) / 2
    nearest = sorted(_without(images, taken), key=lambda image_id: abs(ranks[image_id] - middle))
    return sorted(nearest[:count], key=lambda image_id: ranks[image_id])


def with_annotations(images: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Only images with a class: an empty image that is left empty has a perfect Dice, but nothing to look at."""
    annotated = scores.loc[scores["truth_area"] > 0, "image_id"]
    return images[images["image_id"].isin(annotated)]


def _without(images: pd.DataFrame, taken: Collection[str]) -> list[str]:
    return [image_id for image_id in images["image_id"] if image_id not in taken]


@dataclass(frozen=True)
class Overlay:
    """Prediction against truth for one class."""

    class_name: str
    kind: str
    dice: float
    presence: float
    paths: Mapping[str, str]
    """Outcome → SVG path, in pixels of the gallery shape"""


@dataclass(frozen=True)
class GalleryImage:
    image_id: str
    dice: float
    source: str
    """data URI"""
    shape: Shape
    overlays: tuple[Overlay, ...]
    """of the classes that are annotated or predicted"""


@dataclass(frozen=True)
class GalleryGroup:
    name: str
    title: str
    images: tuple[GalleryImage, ...]


@dataclass(frozen=True)
class Gallery:
    """Draws the images of one split as the rules decide them."""

    labelled: LabelledSplit
    rules: Rules
    manifest: Manifest
    cache: Cache
    scores: pd.DataFrame

    def show_groups(self, images: pd.DataFrame, best: int, median: int, worst: int) -> tuple[GalleryGroup, ...]:
        """`images` sorted worst first, and how many to show per group → the groups that are not empty."""
        annotated = with_annotations(images, self.scores)
        worst_ids = choose_worst(images, worst)
        best_ids = choose_best(annotated, best, set(worst_ids))
        median_ids = choose_median(annotated, median, {*worst_ids, *best_ids})
        # All at once, so that they share one budget and have the same quality.
        shown = iter(self.show([*best_ids, *median_ids, *worst_ids]))
        groups = (
            ("best", "Best images, of those that contain a class", best_ids),
            ("median", "Images around the median, of those that contain a class", median_ids),
            ("worst", "Worst images", worst_ids),
        )
        return tuple(GalleryGroup(name, title, tuple(next(shown) for _ in ids)) for name, title, ids in groups if ids)

    def show(self, image_ids: Sequence[str]) -> tuple[GalleryImage, ...]:
        sources = to_data_uris([self._read_image(image_id) for image_id in image_ids], BUDGET)
        return tuple(self._show(image_id, source) for image_id, source in zip(image_ids, sources, strict=True))

    def _read_image(self, image_id: str) -> Image:
        """From the cache, reduced if it is larger than the gallery shape; the browser enlarges smaller ones."""
        row = self.manifest.images.index[self.manifest.images["image_id"] == image_id][0]
        image = np.asarray(self.cache.images[row])
        shape = gallery_shape(self.rules.output_shape)
        return resize_image(image, shape) if shape[0] < image.shape[0] else image

    def _show(self, image_id: str, source: str) -> GalleryImage:
        index, shape = self.labelled.store.image_ids.index(image_id), gallery_shape(self.rules.output_shape)
        labelled, raw = self.labelled[index], self.labelled.raw
        presence, top_mean = presences(raw, self.rules)[index], raw.top_mean[index]
        predicted = decide_masks(presence, top_mean, labelled.levels, labelled.visible, self.rules)
        rows = self.scores[self.scores["image_id"] == image_id]
        overlays = tuple(self._overlays(rows, labelled.truth, predicted, shape))
        return GalleryImage(image_id, float(rows["dice"].mean()), source, shape, overlays)

    def _overlays(self, rows: pd.DataFrame, truth: Masks, predicted: Masks, shape: Shape) -> list[Overlay]:
        """Scores of one image, and masks (C×H×W) → an overlay per class that is annotated or predicted."""
        columns = rows.assign(kind=error_types_of(rows)).set_index("class_name")[["kind", "dice", "presence"]]
        scores = columns.T.to_dict()
        return [
            Overlay(name, **scores[name], paths=outline_confusion(*(resize_mask(mask, shape) for mask in masks)))
            for name, *masks in zip(self.rules.classes, truth, predicted, strict=True)
            if scores[name]["kind"] != RIGHTLY_EMPTY
        ]
