"""Connected components of a mask: 8 neighbours, areas in pixels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.masks.rle import Mask


@dataclass(frozen=True)
class Components:
    labels: npt.NDArray[np.int32]
    """H×W; 0 is background, component k carries k."""
    areas: npt.NDArray[np.int64]
    """areas[k - 1] is the area of component k."""


def label_components(mask: Mask) -> Components:
    """Mask (H×W) → its components.

    >>> label_components(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], bool)).areas
    array([2, 1])
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return Components(np.asarray(labels, np.int32), stats[1:, cv2.CC_STAT_AREA].astype(np.int64))


def keep_components(components: Components, kept: npt.NDArray[np.bool_]) -> Mask:
    """The mask of those components for which kept[k - 1] is true."""
    return np.concatenate(([False], kept))[components.labels]
