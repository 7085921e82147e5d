"""Synthetic maps and truths for tests of the tuner, and a slow reference implementation."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from nephoscope.evaluation.labelled import LabelledArrays, label_arrays
from nephoscope.masks.dice import dice
from nephoscope.rules.decide import decide
from nephoscope.rules.rules import NEVER, Rule
from nephoscope.tuning.evidence import Evidence, gather
from nephoscope.tuning.families import Grid


def draw_pictures(seed: int, count: int = 8, classes: int = 1, shape: tuple[int, int] = (9, 11)) -> LabelledArrays:
    """Maps of coarse noise; truths that are empty, partial or full; presences with ties."""
    rng = np.random.default_rng(seed)
    maps = (rng.integers(0, 6, (count, classes, *shape)) * 51).astype(np.uint8)
    fill = rng.choice([0.0, 0.4, 1.0], (count, classes, 1, 1), p=[0.4, 0.5, 0.1])
    truths = rng.random((count, classes, *shape)) < fill
    visible = rng.random((count, *shape)) > 0.1
    return label_arrays(maps, truths, rng.integers(0, 6, (count, classes)) / 5, visible=visible)


def gather_pictures(seed: int, **kwargs: int) -> tuple[LabelledArrays, Evidence]:
    labelled = draw_pictures(seed, **kwargs)
    return labelled, gather(labelled)


def plain_dices(labelled: LabelledArrays, class_index: int, presence: np.ndarray, rule: Rule) -> np.ndarray:
    """N: Dice of one class, from decided masks."""
    images = (labelled[index] for index in range(len(labelled)))
    masks = [decide(p, im.levels[class_index], im.visible, rule) for p, im in zip(presence, images, strict=True)]
    return np.array([dice(labelled[index].truth[class_index], mask) for index, mask in enumerate(masks)])


def rules_of(grid: Grid, presence: np.ndarray) -> Iterator[Rule]:
    """All rules of a grid, with every distinct presence as a presence threshold."""
    thresholds = [0.0, *np.unique(presence), NEVER] if grid.gated else [0.0]
    axes = product(thresholds, grid.pixel_thresholds, grid.min_areas)
    for presence_threshold, pixel, area in axes:
        yield Rule(presence_threshold=float(presence_threshold), pixel_threshold=int(pixel), min_area=int(area))
