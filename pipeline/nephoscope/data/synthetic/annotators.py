"""The regions of a scene and the boxes of its annotators, drawn with the statistics of the real data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nephoscope.data.synthetic.scene import Box

# Images per presence pattern among the 4546 labelled images of "Understanding Clouds from Satellite Images". The index
# is a sum of Fish 1, Flower 2, Gravel 4, Sugar 8. Every image there has a label.
PATTERN_COUNTS = (0, 216, 284, 236, 250, 212, 122, 127, 363, 379, 384, 274, 606, 591, 284, 218)


@dataclass(frozen=True)
class BoxSizes:
    """Mean and standard deviation of the logarithm of a side, as a share of the image's side."""

    height: tuple[float, float]
    width: tuple[float, float]


# From 32,487 boxes that scientists drew on images of 1400×2100; order Fish, Flower, Gravel, Sugar.
BOX_SIZES = (
    BoxSizes((-0.999, 0.421), (-0.764, 0.457)),
    BoxSizes((-0.703, 0.400), (-0.857, 0.425)),
    BoxSizes((-0.837, 0.423), (-0.952, 0.437)),
    BoxSizes((-0.996, 0.439), (-1.038, 0.449)),
)
SIDES_CORRELATION = 0.28  # between the logarithms of height and width
SECOND_REGION_SHARE = 0.5
GROWTH = 1.15  # sides of a region over the sides of a scientist's box; gives masks the area of real ones


@dataclass(frozen=True)
class Region:
    """A box that shows one class."""

    class_index: int
    box: Box


def draw_presence(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Presence of Fish, Flower, Gravel and Sugar (4)."""
    pattern = rng.choice(len(PATTERN_COUNTS), p=np.divide(PATTERN_COUNTS, sum(PATTERN_COUNTS)))
    return np.asarray(pattern >> np.arange(4) & 1, bool)


def draw_regions(rng: np.random.Generator) -> list[Region]:
    """One or two regions per present class. Positions with little overlap are preferred."""
    regions: list[Region] = []
    for class_index in np.flatnonzero(draw_presence(rng)).tolist():
        for _ in range(1 + (rng.random() < SECOND_REGION_SHARE)):
            regions.append(Region(class_index, _place(rng, BOX_SIZES[class_index], regions)))
    return regions


def draw_box(rng: np.random.Generator, sizes: BoxSizes) -> Box:
    """A box of random size at a random position inside the image."""
    first, second = rng.standard_normal(2)
    other = SIDES_CORRELATION * first + np.sqrt(1 - SIDES_CORRELATION**2) * second
    height = float(np.clip(GROWTH * np.exp(sizes.height[0] + sizes.height[1] * first), 0.2, 0.97))
    width = float(np.clip(GROWTH * np.exp(sizes.width[0] + sizes.width[1] * other), 0.18, 0.97))
    top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
    return Box(top, left, top + height, left + width)


def _place(rng: np.random.Generator, sizes: BoxSizes, regions: list[Region], tries: int = 8) -> Box:
    boxes = [draw_box(rng, sizes) for _ in range(tries)]
    area = [box.overlap(box) for box in boxes]
    covered = [sum(box.overlap(region.box) for region in regions) for box in boxes]
    return boxes[int(np.argmin([share / size for share, size in zip(covered, area, strict=True)]))]


ANNOTATORS = 3
SEEN_SHARE = 0.53  # share of the regions that an annotator sees
SIDE_JITTER = 0.11  # standard deviation of a side, as a share of the region's height or width
STRAY_SHARE = 0.03  # share of the annotators who also draw a box where nothing is
# Probability that a region of a class (row) is labelled as a class (column). Two scientists disagree twice as often, in
# 32,487 boxes with an intersection over union above 0.5, because either of the two may be wrong.
LABEL_PROBABILITIES = np.array(
    [
        # Fish Flower Gravel Sugar
        [0.935, 0.025, 0.029, 0.011],
        [0.021, 0.961, 0.011, 0.007],
        [0.027, 0.013, 0.873, 0.087],
        [0.007, 0.005, 0.057, 0.931],
    ]
)


def annotate(rng: np.random.Generator, regions: Sequence[Region]) -> list[Region]:
    """The boxes of all annotators; drawn again while there is none."""
    boxes: list[Region] = []
    while not boxes:
        for _ in range(ANNOTATORS):
            boxes += _boxes_of_annotator(rng, regions)
    return boxes


def _boxes_of_annotator(rng: np.random.Generator, regions: Sequence[Region]) -> list[Region]:
    seen = [region for region in regions if rng.random() < SEEN_SHARE]
    boxes = [
        Region(int(rng.choice(4, p=LABEL_PROBABILITIES[region.class_index])), _jittered(rng, region.box))
        for region in seen
    ]
    if rng.random() < STRAY_SHARE:
        class_index = int(rng.integers(4))
        boxes.append(Region(class_index, draw_box(rng, BOX_SIZES[class_index])))
    return boxes


def _jittered(rng: np.random.Generator, box: Box) -> Box:
    height, width = box.bottom - box.top, box.right - box.left
    top, left, bottom, right = rng.normal(0, SIDE_JITTER, 4) * (height, width, height, width)
    return Box(box.top + top, box.left + left, box.bottom + bottom, box.right + right).clipped()


def union_of(boxes: Sequence[Region], visible: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Boxes → masks (C×H×W), without invisible pixels."""
    masks = np.zeros((len(BOX_SIZES), *visible.shape), bool)
    for region in boxes:
        region.box.fill(masks[region.class_index])
    return masks & visible
