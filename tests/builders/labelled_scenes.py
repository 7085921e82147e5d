"""Synthetic labelled images for tests, in a probability store like that of `predict`."""

from pathlib import Path

import cv2
import numpy as np

from nephoscope.data.truth import Truth
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.store import Prediction, ProbabilityStore, atomic_store
from nephoscope.masks.rle import Shape, encode_rle
from nephoscope.rules.presence import top_fraction_mean
from nephoscope.rules.rules import InferenceSettings

INFERENCE_SETTINGS = InferenceSettings(flips=("none",), top_fraction=0.1)


def write_labelled(
    path: Path, *, count: int = 12, classes: tuple[str, ...] = ("a", "b"), shape: Shape = (24, 36), seed: int = 0
) -> LabelledSplit:
    """Truth: random rectangles, a third of them empty. Maps: the truth, blurred and with noise."""
    rng = np.random.default_rng(seed)
    image_ids = [f"{index:04d}.jpg" for index in range(count)]
    rles: dict[tuple[str, str], str] = {}
    with atomic_store(path, image_ids, classes, shape, INFERENCE_SETTINGS) as writer:
        for index, image_id in enumerate(image_ids):
            truth = np.stack([_rectangle(rng, shape) for _ in classes])
            rles |= {(image_id, name): encode_rle(mask) for name, mask in zip(classes, truth, strict=True)}
            levels = np.stack([_blurred(mask, rng) for mask in truth])
            visible = np.ones(shape, bool)
            visible[:, : rng.integers(0, 4)] = False
            classifier = np.clip(0.5 * truth.any((1, 2)) + rng.uniform(0.1, 0.5, len(classes)), 0, 1)
            top_mean = top_fraction_mean(levels, visible, INFERENCE_SETTINGS.top_fraction)
            writer.write(index, Prediction(levels, visible, classifier, top_mean))
    truth_table = Truth(classes, shape, {key: rle for key, rle in rles.items() if rle})
    return LabelledSplit(ProbabilityStore.open(path), truth_table)


def _rectangle(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    mask = np.zeros(shape, bool)
    if rng.random() > 1 / 3:
        top, left = rng.integers(0, shape[0] // 2), rng.integers(0, shape[1] // 2)
        mask[top : top + rng.integers(4, shape[0] // 2), left : left + rng.integers(4, shape[1] // 2)] = True
    return mask


def _blurred(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2) * 180 + rng.normal(20, 15, mask.shape)
    return np.clip(soft, 0, 255).astype(np.uint8)
