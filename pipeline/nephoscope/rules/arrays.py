"""Checks of arrays from users: maps, presences and visible pixels. Arrays are read one image at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.masks.rle import Mask
from nephoscope.rules.presence import Presences, RawPresences, top_fraction_mean
from nephoscope.rules.rules import Levels

MAPS, PRESENCES, VISIBLE = "maps (N×C×H×W)", "presences (N×C)", "visible (N×H×W)"


def check_arrays(maps: Any, visible: Any = None) -> None:
    """Raise `UserError` unless the maps have four axes, and `visible` (None: all pixels) fits them."""
    if len(maps.shape) != 4 or 0 in maps.shape:
        raise UserError(f"{MAPS} have shape {tuple(maps.shape)}; expected four axes, none of them empty")
    if visible is not None:
        expect_shape(VISIBLE, visible.shape, (maps.shape[0], *maps.shape[2:]))


def expect_shape(name: str, shape: Sequence[int], expected: Sequence[int]) -> None:
    if tuple(shape) != tuple(expected):
        raise UserError(f"{name}: shape {tuple(shape)}; expected {tuple(expected)}, like the maps")


def levels_of(maps: Any, index: int) -> Levels:
    """The levels of one image (C×H×W). Probabilities are rounded to levels."""
    image = np.asarray(maps[index])
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"{MAPS} are {image.dtype}; expected levels as uint8, or probabilities as floats")
    if not ((image >= 0) & (image <= 1)).all():  # NaN fails too
        raise UserError(f"{MAPS}: image {index} has values from {image.min()} to {image.max()}; expected 0 to 1")
    return np.round(image * 255).astype(np.uint8)


def visible_of(maps: Any, visible: Any, index: int) -> Mask:
    """The visible pixels of one image (H×W)."""
    return np.ones(maps.shape[2:], bool) if visible is None else np.asarray(visible[index], bool)


def raw_presences_of(maps: Any, presences: npt.ArrayLike | None, visible: Any, top_fraction: float) -> RawPresences:
    """Presences of N images. Without presences of a classifier, the top-fraction means take their place."""
    from joblib import Parallel, delayed  # predicting files starts faster without it

    def top_mean_of(index: int) -> npt.NDArray[np.float64]:
        return top_fraction_mean(levels_of(maps, index), visible_of(maps, visible, index), top_fraction)

    scores = None if presences is None else _check_presences(presences, maps.shape[:2])
    top_mean = np.stack(Parallel(n_jobs=-1, prefer="threads")(delayed(top_mean_of)(i) for i in range(len(maps))))
    return RawPresences(top_mean if scores is None else scores, top_mean)


def _check_presences(presences: npt.ArrayLike, shape: Sequence[int]) -> Presences:
    scores = np.asarray(presences, np.float64)
    expect_shape(PRESENCES, scores.shape, shape)
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        raise UserError(f"{PRESENCES}: image {np.argwhere(wrong)[0][0]} has {scores[wrong][0]}; expected 0 to 1")
    return scores
