"""Validation metrics during training. They need no rules, because rules are tuned later."""

from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, distributed

from nephoscope.masks.dice import dice_of_areas
from nephoscope.training.loaders import Batch
from nephoscope.training.sampling import process

LEVELS = 256
Counts = npt.NDArray[np.int64]
T = TypeVar("T")


class ValidationMetrics(Protocol):
    """Collects the batches of a validation run and computes its scores by name."""

    def add(self, logits: Tensor, batch: Batch) -> None: ...

    def scores(self) -> dict[str, float]: ...


class PresenceMetrics:
    """pr_auc: mean average precision over the classes that occur in validation."""

    def __init__(self) -> None:
        self.batches: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []

    def add(self, logits: Tensor, batch: Batch) -> None:
        self.batches.append((logits.float().cpu().numpy(), batch.presence.cpu().numpy()))

    def scores(self) -> dict[str, float]:
        logits, presence = (np.concatenate(arrays) for arrays in zip(*gather(self.batches), strict=True))
        classes = [index for index in range(presence.shape[1]) if presence[:, index].any()]
        precisions = [average_precision_score(presence[:, index] > 0, logits[:, index]) for index in classes]
        return {"pr_auc": float(np.mean(precisions)) if precisions else float("nan")}


class PixelMetrics:
    """dice and pr_auc, from histograms of the levels of every image and class."""

    def __init__(self, top_fraction: float) -> None:
        """The mean of this share of the visible pixels, highest first, orders the images by presence."""
        self.top_fraction = top_fraction
        self.batches: list[Counts] = []

    def add(self, logits: Tensor, batch: Batch) -> None:
        self.batches.append(level_histograms(logits, batch))

    def scores(self) -> dict[str, float]:
        histograms = np.concatenate(gather(self.batches))
        return {"dice": attainable_dice(histograms, self.top_fraction), "pr_auc": pixel_pr_auc(histograms)}


def level_histograms(logits: Tensor, batch: Batch) -> Counts:
    """Logits (N×C×H×W) → number of visible pixels per image, class, truth (0, 1) and level: N×C×2×256."""
    count, classes = logits.shape[:2]
    levels = (logits.float().sigmoid() * (LEVELS - 1)).round().long()
    truth = unpack(batch.planes, classes).long()
    pairs = torch.arange(count * classes, device=logits.device).view(count, classes, 1, 1)
    cells = ((pairs * 2 + truth) * LEVELS + levels)[batch.visible[:, None].expand_as(levels)]
    histogram = torch.bincount(cells, minlength=count * classes * 2 * LEVELS)
    return np.asarray(histogram.view(count, classes, 2, LEVELS).cpu().numpy(), np.int64)


def attainable_dice(histograms: Counts, top_fraction: float) -> float:
    """Mean Dice under the best presence and pixel threshold of each class.

    With a fixed threshold of 0.5, changes of calibration between epochs would hide the quality of the masks.
    Thresholds are chosen on the same images, so this compares epochs and is not a result.
    """
    return float(np.mean([_class_dice(histograms[:, index], top_fraction) for index in range(histograms.shape[1])]))


def _class_dice(histograms: Counts, top_fraction: float) -> float:
    """N×2×256 → mean Dice over images at the best pair of thresholds."""
    reaching = histograms[..., ::-1].cumsum(-1)[..., ::-1]
    truth_area = reaching[:, 1, :1]
    scores = dice_of_areas(reaching[:, 1, 1:], truth_area, reaching[:, :, 1:].sum(1))
    means = top_means(histograms.sum(1), top_fraction)
    order = np.argsort(-means, kind="stable")
    # Row k: the class is present in the k images with the largest top-fraction mean, and empty in the others.
    kept = np.vstack([np.zeros(scores.shape[1]), scores[order].cumsum(0)])
    empty = (truth_area == 0)[order]
    dropped = np.vstack([empty[::-1].cumsum(0)[::-1], [[0]]])
    # No threshold separates images with the same mean.
    possible = np.concatenate([[True], np.diff(means[order]) != 0, [True]])
    return float((kept + dropped)[possible].max() / len(histograms))


def top_means(histograms: Counts, top_fraction: float) -> npt.NDArray[np.float64]:
    """Histograms (N×256) → mean level of the top fraction of pixels (N)."""
    sizes = np.maximum(1, np.round(top_fraction * histograms.sum(1, keepdims=True)))
    above = histograms[:, ::-1].cumsum(1)
    taken = np.minimum(above, sizes) - np.minimum(above - histograms[:, ::-1], sizes)
    return np.asarray((taken * np.arange(LEVELS)[::-1]).sum(1) / sizes[:, 0], np.float64)


def pixel_pr_auc(histograms: Counts) -> float:
    """Average precision of pixels, as a step sum, averaged over the classes that occur."""
    precisions = []
    for pooled in histograms.sum(0):
        positives, total = pooled[1, ::-1].cumsum(), pooled.sum(0)[::-1].cumsum()
        if positives[-1]:
            gained = np.diff(positives, prepend=0) / positives[-1]
            precisions.append(float((gained * positives / np.maximum(total, 1)).sum()))
    return float(np.mean(precisions)) if precisions else float("nan")


def unpack(planes: Tensor, classes: int) -> Tensor:
    """Planes (N×H×W uint8) → truth (N×C×H×W bool)."""
    bits = torch.arange(classes, device=planes.device, dtype=planes.dtype).view(1, -1, 1, 1)
    return (planes[:, None] >> bits & 1).bool()


def gather(items: list[T]) -> list[T]:
    """The items of all processes."""
    count = process()[1]
    if count == 1:
        return items
    gathered: list[list[T]] = [[] for _ in range(count)]
    distributed.all_gather_object(gathered, items)
    return [item for part in gathered for item in part]
