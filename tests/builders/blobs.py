"""A data set that a small network learns in seconds: on noise, class a is a bright disc and class b a dark disc."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest, Metadata

SHAPE = (32, 48)


def write_blobs(artifacts: Artifacts, *, count: int = 64, folds: int = 0, seed: int = 0) -> Manifest:
    """Write cache and manifest: half train, a quarter validation, a quarter holdout. The right edge is invisible."""
    rng = np.random.default_rng(seed)
    cache = Cache.create(artifacts.prepare.cache, count, SHAPE)
    areas = np.zeros((count, 2))
    for row in range(count):
        image, visible = rng.normal(128, 15, (*SHAPE, 3)), np.ones(SHAPE, bool)
        planes = np.zeros(SHAPE, np.uint8)
        for bit, value in enumerate((230, 20)):
            if rng.random() < 0.5:
                disc = np.zeros(SHAPE, np.uint8)
                centre = int(rng.integers(8, SHAPE[1] - 12)), int(rng.integers(8, SHAPE[0] - 8))
                cv2.circle(disc, centre, 6, 1, -1)
                image[disc > 0], planes = value, planes | (disc << bit).astype(np.uint8)
        visible[:, -4:] = False
        cache.images[row], cache.truth[row], cache.visible[row] = image.clip(0, 255), planes, visible
        areas[row] = [(planes >> bit & 1).mean() for bit in range(2)]
    metadata = Metadata("clouds", ("a", "b"), (64, 96), (64, 96), SHAPE, folds)
    return _write_manifest(artifacts, metadata, areas)


def _write_manifest(artifacts: Artifacts, metadata: Metadata, areas: np.ndarray) -> Manifest:
    count = len(areas)
    split = np.array(["train", "train", "validation", "holdout"] * (count // 4))
    fold = np.full(count, -1)
    if metadata.folds:
        pool = np.flatnonzero(split != "holdout")
        split[pool], fold[pool] = "train", np.arange(len(pool)) % metadata.folds
    ids = [f"{index:04d}.jpg" for index in range(count)]
    table = {
        "image_id": ids,
        "file": ids,
        "split": split,
        "fold": fold,
        "group": range(len(ids)),
        "visible_share": 44 / 48,
    }
    table |= {"area_a": areas[:, 0], "area_b": areas[:, 1]}
    manifest = Manifest(metadata, pd.DataFrame(table))
    manifest.save(artifacts.prepare.manifest)
    return manifest


def blobs_in(root: Path, **changes: int) -> Artifacts:
    artifacts = Artifacts(root)
    write_blobs(artifacts, **changes)
    return artifacts
