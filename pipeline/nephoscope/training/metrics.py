"""What validation says of a network while it learns. Rules do not exist yet, so nothing here depends on one."""

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
STRONGEST_SHARE = 0.1
Counts = npt.NDArray[np.int64]
T = TypeVar("T")


class ValidationMetrics(Protocol):
    """Collects batches of one validation run, then gives its scores by name."""

    def add(self, logits: Tensor, batch: Batch) -> None: ...

    def scores(self) -> dict[str, float]: ...


class PresenceMetrics:
    """pr_auc: mean average precision over the classes that validation shows at all."""

    def __init__(self) -> None:
        self.seen: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []

    def add(self, logits: Tensor, batch: Batch) -> None:
        self.seen.append((logits.float().cpu().numpy(), batch.presence.cpu().numpy()))

    def scores(self) -> dict[str, float]:
        logits, presence = (np.concatenate(arrays) for arrays in zip(*gather(self.seen), strict=True))
        shown = [index for index in range(presence.shape[1]) if presence[:, index].any()]
        each = [average_precision_score(presence[:, index] > 0, logits[:, index]) for index in shown]
        return {"pr_auc": float(np.mean(each)) if each else float("nan")}


class PixelMetrics:
    """dice and pr_auc from histograms of the probability levels of every picture and class."""

    def __init__(self) -> None:
        self.seen: list[Counts] = []

    def add(self, logits: Tensor, batch: Batch) -> None:
        self.seen.append(level_histograms(logits, batch))

    def scores(self) -> dict[str, float]:
        histograms = np.concatenate(gather(self.seen))
        return {"dice": attainable_dice(histograms), "pr_auc": pixel_pr_auc(histograms)}


def level_histograms(logits: Tensor, batch: Batch) -> Counts:
    """Logits (N×C×H×W) → visible pixels per picture, class, truth (0, 1) and level: N×C×2×256."""
    count, classes = logits.shape[:2]
    levels = (logits.float().sigmoid() * (LEVELS - 1)).round().long()
    truth = unpack(batch.planes, classes).long()
    pairs = torch.arange(count * classes, device=logits.device).view(count, classes, 1, 1)
    cells = ((pairs * 2 + truth) * LEVELS + levels)[batch.visible[:, None].expand_as(levels)]
    histogram = torch.bincount(cells, minlength=count * classes * 2 * LEVELS)
    return np.asarray(histogram.view(count, classes, 2, LEVELS).cpu().numpy(), np.int64)


def attainable_dice(histograms: Counts) -> float:
    """Mean Dice under the best presence and pixel threshold of each class.

    A fixed threshold of a half would follow the calibration, which swings from epoch to epoch, more than the masks.
    Chosen and measured on the same pictures, so it is a guide to the epoch and no result.
    """
    each = [_class_dice(histograms[:, index]) for index in range(histograms.shape[1])]
    return float(np.mean(each))


def _class_dice(histograms: Counts) -> float:
    """N×2×256 → mean Dice over pictures at the best pair of thresholds."""
    reaching = histograms[..., ::-1].cumsum(-1)[..., ::-1]
    truth_area = reaching[:, 1, :1]
    scores = dice_of_areas(reaching[:, 1, 1:], truth_area, reaching[:, :, 1:].sum(1))
    order = np.argsort(-_top_means(histograms.sum(1)), kind="stable")
    # Row k: the k pictures with the strongest pixels are called present, the others empty.
    kept = np.vstack([np.zeros(scores.shape[1]), scores[order].cumsum(0)])
    empty = (truth_area == 0)[order]
    dropped = np.vstack([empty[::-1].cumsum(0)[::-1], [[0]]])
    return float((kept + dropped).max() / len(histograms))


def _top_means(histograms: Counts) -> npt.NDArray[np.float64]:
    """N×256 → sum of the levels of the strongest tenth of the pixels, per pixel of it: N."""
    wanted = np.maximum(1, np.round(STRONGEST_SHARE * histograms.sum(1, keepdims=True)))
    above = histograms[:, ::-1].cumsum(1)
    taken = np.minimum(above, wanted) - np.minimum(above - histograms[:, ::-1], wanted)
    return np.asarray((taken * np.arange(LEVELS)[::-1]).sum(1) / wanted[:, 0], np.float64)


def pixel_pr_auc(histograms: Counts) -> float:
    """Mean over classes of the step sum of precision over recall; classes without a true pixel are left out."""
    each = []
    for pooled in histograms.sum(0):
        positives, total = pooled[1, ::-1].cumsum(), pooled.sum(0)[::-1].cumsum()
        if positives[-1]:
            gained = np.diff(positives, prepend=0) / positives[-1]
            each.append(float((gained * positives / np.maximum(total, 1)).sum()))
    return float(np.mean(each)) if each else float("nan")


def unpack(planes: Tensor, classes: int) -> Tensor:
    """Planes (N×H×W uint8) → truth (N×C×H×W bool)."""
    bits = torch.arange(classes, device=planes.device, dtype=torch.uint8).view(1, -1, 1, 1)
    return (planes[:, None] >> bits & 1).bool()


def gather(seen: list[T]) -> list[T]:
    """What all processes have seen."""
    count = process()[1]
    if count == 1:
        return seen
    everyone: list[list[T]] = [[] for _ in range(count)]
    distributed.all_gather_object(everyone, seen)
    return [part for one in everyone for part in one]
