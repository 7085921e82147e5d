"""The holdout of a finished run: images with truth, stored predictions, scores and precision-recall curves."""

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

CACHED_PICTURES = 32


class HoldoutRow(BaseModel):
    """Scores of one image under the tuned rules, as stage `evaluate` wrote them."""

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
        self._labelled, self._cache, self._dataset = labelled, cache, dataset
        self._indices = {image_id: index for index, image_id in enumerate(labelled.image_ids)}
        images = manifest.images.set_index("image_id")
        self._cache_rows = dict(zip(images.index, range(len(images)), strict=True))
        self._files = {str(image_id): str(file) for image_id, file in images["file"].items()}
        self._lock = Lock()
        self.picture = lru_cache(CACHED_PICTURES)(self._picture)

    @classmethod
    def open(cls, artifacts: Artifacts, rules: Rules, dataset: Path | None) -> Self:
        """`dataset`: folder of the full-size images; without it, images come from the cache of `prepare`."""
        _require(artifacts)
        manifest = Manifest.load(artifacts.prepare.manifest)
        labelled = LabelledSplit.open(artifacts, manifest, "holdout")
        if read_rules(artifacts.tune.rules) != rules:
            raise UserError(
                f"{artifacts.root}: the exported model has other rules than the run; run `dvc repro export`"
            )
        curves = Curves.read(artifacts.evaluate, rules.classes)
        synthetic = artifacts.synthesize.dataset
        dataset = dataset or (synthetic if synthetic.is_dir() else None)
        rows = _read_rows(artifacts, rules.classes)
        return cls(labelled, manifest, Cache.open(artifacts.prepare.cache), dataset, curves, rows)

    def thumbnail(self, image_id: str) -> bytes:
        return encode_jpeg(self._cached(image_id), THUMBNAIL_QUALITY)

    def _picture(self, image_id: str) -> Picture:
        if image_id not in self._indices:
            raise unknown_picture()
        with self._lock:
            index = self._indices[image_id]
            truth: Masks = self._labelled[index].truth
            prediction = self._labelled.store[index]
        preview = encode_jpeg(self._image(image_id), PREVIEW_QUALITY)
        return Picture(image_id, self._cached(image_id), prediction, preview, self.thumbnail(image_id), truth)

    def _image(self, image_id: str) -> Image:
        """From the data set, or from the cache if the data set cannot be read."""
        try:
            if self._dataset:
                image = read_image(self._dataset / self._files[image_id])
                return resize_image(image, preview_shape((image.shape[0], image.shape[1])))
        except ImageError:
            pass
        return resize_image(self._cached(image_id), self._labelled.output_shape)

    def _cached(self, image_id: str) -> Image:
        if image_id not in self._indices:
            raise unknown_picture()
        return np.asarray(self._cache.images[self._cache_rows[image_id]])


def _read_rows(artifacts: Artifacts, classes: tuple[str, ...]) -> list[HoldoutRow]:
    """One row per image, worst first."""
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
