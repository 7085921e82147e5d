"""The holdout of a finished run: its pictures with their truth, the networks' answers, and the PR curves."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np
from pydantic import BaseModel

from nephoscope.app.curves import Curves
from nephoscope.app.pictures import PREVIEW_QUALITY, THUMBNAIL_QUALITY, Masks, Picture, encode_jpeg, preview_shape
from nephoscope.app.sessions import unknown_picture
from nephoscope.artifacts import Artifacts, require_artifact
from nephoscope.data.cache import Cache
from nephoscope.data.images import ImageError, read_image
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.tables import read_table
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.rules.rules import Rules, read_rules

KEPT = 32
"""Pictures of the run that stay in memory."""


class HoldoutRow(BaseModel):
    """A picture as it was evaluated, by the tuned rules."""

    image_id: str
    mean_dice: float
    dices: list[float]
    annotated: list[bool]
    predicted: list[bool]


class Holdout:
    def __init__(
        self,
        labelled: LabelledSplit,
        manifest: Manifest,
        cache: Cache,
        dataset: Path | None,
        curves: Curves,
        rows: list[HoldoutRow],
    ) -> None:
        self.curves, self.rows = curves, rows
        self._judged, self._cache, self._dataset = labelled, cache, dataset
        self._places = {image_id: index for index, image_id in enumerate(labelled.image_ids)}
        images = manifest.images.set_index("image_id")
        self._cache_rows = dict(zip(images.index, range(len(images)), strict=True))
        self._files = {str(image_id): str(file) for image_id, file in images["file"].items()}
        self._turn = Lock()
        self.picture = lru_cache(KEPT)(self._picture)

    @classmethod
    def open(cls, artifacts: Artifacts, rules: Rules, dataset: Path | None) -> Self:
        """`dataset`: the folder that holds the run's pictures; without it they are shown as the cache has them."""
        _require(artifacts)
        manifest = Manifest.load(artifacts.prepare.manifest)
        labelled = LabelledSplit.open(artifacts, manifest, "holdout")
        if read_rules(artifacts.tune.rules) != rules:
            raise UserError(f"{artifacts.root}: the exported model is of another run; `dvc repro export` makes it anew")
        curves = Curves.read(artifacts.evaluate, rules.classes)
        drawn = artifacts.synthesize.dataset
        dataset = dataset or (drawn if drawn.is_dir() else None)
        rows = _read_rows(artifacts, rules.classes)
        return cls(labelled, manifest, Cache.open(artifacts.prepare.cache), dataset, curves, rows)

    def thumbnail(self, image_id: str) -> bytes:
        return encode_jpeg(self._cached(image_id), THUMBNAIL_QUALITY)

    def _picture(self, image_id: str) -> Picture:
        if image_id not in self._places:
            raise unknown_picture()
        with self._turn:
            labelled, raw = self._judged[self._places[image_id]], self._judged.store[self._places[image_id]]
        preview = encode_jpeg(self._image(image_id), PREVIEW_QUALITY)
        truth: Masks = labelled.truth
        return Picture(image_id, self._cached(image_id), raw, preview, self.thumbnail(image_id), truth)

    def _image(self, image_id: str) -> Image:
        """From the data set; where it is not at hand, as the cache has it."""
        try:
            if self._dataset:
                image = read_image(self._dataset / self._files[image_id])
                return resize_image(image, preview_shape((image.shape[0], image.shape[1])))
        except ImageError:
            pass
        return resize_image(self._cached(image_id), self._judged.output_shape)

    def _cached(self, image_id: str) -> Image:
        if image_id not in self._places:
            raise unknown_picture()
        return np.asarray(self._cache.images[self._cache_rows[image_id]])


def _read_rows(artifacts: Artifacts, classes: tuple[str, ...]) -> list[HoldoutRow]:
    """Worst first."""
    scores = read_table(artifacts.evaluate.tables / "scores.csv")
    tables = {
        name: scores.pivot_table(index="image_id", columns="class_name", values=name)[list(classes)]
        for name in ("dice", "truth_area", "predicted_area")
    }
    rows = [
        HoldoutRow(
            image_id=str(image_id),
            mean_dice=float(np.mean(dices)),
            dices=dices.tolist(),
            annotated=(truth > 0).tolist(),
            predicted=(predicted > 0).tolist(),
        )
        for image_id, dices, truth, predicted in zip(
            tables["dice"].index, *(table.to_numpy() for table in tables.values()), strict=True
        )
    ]
    return sorted(rows, key=lambda row: (row.mean_dice, row.image_id))


def _require(artifacts: Artifacts) -> None:
    prepare, evaluate = artifacts.prepare, artifacts.evaluate
    needed = {
        "prepare": (prepare.manifest, prepare.truth, prepare.cache),
        "evaluate": (evaluate.tables, evaluate.plots),
    }
    for stage, paths in needed.items():
        for path in paths:
            require_artifact(path, stage)
