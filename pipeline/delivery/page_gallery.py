"""The gallery of a page: the worst and the best pictures, and what became of their pixels class by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.cache import Cache
from pipeline.data.manifest import Manifest
from pipeline.delivery.data_uri import to_data_uri
from pipeline.evaluation.judged import Judged
from pipeline.evaluation.outcomes import draw_outcomes
from pipeline.masks.geometry import Image, gallery_shape, resize_image, resize_mask
from pipeline.masks.rule import Rules, decide_masks, presences

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Overlay:
    class_name: str
    source: str
    dice: float
    presence: float


@dataclass(frozen=True)
class Shown:
    image_id: str
    dice: float
    source: str
    overlays: tuple[Overlay, ...]


def choose_worst(pictures: pd.DataFrame, count: int) -> list[str]:
    """image_ids, worst first; `pictures` are sorted that way."""
    return pictures["image_id"].head(count).tolist()


def choose_best(pictures: pd.DataFrame, judgements: pd.DataFrame, count: int, worst: Sequence[str]) -> list[str]:
    """image_ids, best first, of pictures that show a class: an empty picture left empty is right, but shows nothing."""
    shows = judgements.loc[judgements["truth_area"] > 0, "image_id"]
    candidates = pictures.loc[pictures["image_id"].isin(shows) & ~pictures["image_id"].isin(worst), "image_id"]
    return candidates.tolist()[::-1][:count]


@dataclass(frozen=True)
class Gallery:
    """Shows judged pictures as the rules decide them."""

    judged: Judged
    rules: Rules
    manifest: Manifest
    cache: Cache
    judgements: pd.DataFrame

    def show(self, image_ids: Sequence[str]) -> tuple[Shown, ...]:
        return tuple(self._show(image_id) for image_id in image_ids)

    def _show(self, image_id: str) -> Shown:
        index, shape = self.judged.store.image_ids.index(image_id), gallery_shape(self.rules.judged_shape)
        judged, presence = self.judged[index], presences(self.judged.raw, self.rules)[index]
        predicted = decide_masks(presence, judged.levels, judged.visible, self.rules)
        row = self.manifest.images.index[self.manifest.images["image_id"] == image_id][0]
        image = resize_image(np.asarray(self.cache.images[row]), shape)
        return Shown(
            image_id,
            float(self._of_picture(image_id)["dice"].mean()),
            to_data_uri(image),
            tuple(self._overlays(image_id, image, judged.truth, predicted)),
        )

    def _overlays(self, image_id: str, image: Image, truth: Masks, predicted: Masks) -> list[Overlay]:
        """One for every class that is annotated or predicted."""
        measured = self._of_picture(image_id).set_index("class_name")[["dice", "presence"]].T.to_dict()
        overlays = []
        for name, true, decided in zip(self.rules.classes, truth, predicted, strict=True):
            if true.any() or decided.any():
                shape = image.shape[:2]
                drawn = draw_outcomes(image, resize_mask(true, shape), resize_mask(decided, shape))
                overlays.append(Overlay(name, to_data_uri(drawn), **measured[name]))
        return overlays

    def _of_picture(self, image_id: str) -> pd.DataFrame:
        return self.judgements[self.judgements["image_id"] == image_id]
