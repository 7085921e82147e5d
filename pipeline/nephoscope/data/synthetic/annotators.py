"""Which patterns a scene shows and where: drawn from the statistics of real pictures and of scientists' boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nephoscope.data.synthetic.scene import Box

# Pictures per presence pattern among 4546 labelled pictures of "Understanding Clouds from Satellite Images"; the
# place counts Fish as 1, Flower as 2, Gravel as 4, Sugar as 8. No picture there is without a label.
PATTERN_COUNTS = (0, 216, 284, 236, 250, 212, 122, 127, 363, 379, 384, 274, 606, 591, 284, 218)


@dataclass(frozen=True)
class BoxSizes:
    """Mean and deviation of the logarithm of a box's sides, as shares of the picture's."""

    height: tuple[float, float]
    width: tuple[float, float]


# From 32,487 boxes that scientists drew on 2100×1400 pictures; order Fish, Flower, Gravel, Sugar.
BOX_SIZES = (
    BoxSizes((-0.999, 0.421), (-0.764, 0.457)),
    BoxSizes((-0.703, 0.400), (-0.857, 0.425)),
    BoxSizes((-0.837, 0.423), (-0.952, 0.437)),
    BoxSizes((-0.996, 0.439), (-1.038, 0.449)),
)
SIDES_CORRELATION = 0.28  # of the logarithms of height and width, there
SECOND_REGION_SHARE = 0.5
GROWTH = 1.15  # of a region's sides over those of one scientist's box in it; then masks cover as much as real ones do


@dataclass(frozen=True)
class Region:
    """A place that shows one class (its index)."""

    class_index: int
    box: Box


def draw_presence(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which of Fish, Flower, Gravel, Sugar are present together."""
    pattern = rng.choice(len(PATTERN_COUNTS), p=np.divide(PATTERN_COUNTS, sum(PATTERN_COUNTS)))
    return np.asarray(pattern >> np.arange(4) & 1, bool)


def draw_regions(rng: np.random.Generator) -> list[Region]:
    """One or two regions of every class that is present; they may overlap, but seek free room."""
    regions: list[Region] = []
    for class_index in np.flatnonzero(draw_presence(rng)).tolist():
        for _ in range(1 + (rng.random() < SECOND_REGION_SHARE)):
            regions.append(Region(class_index, _place(rng, BOX_SIZES[class_index], regions)))
    return regions


def draw_box(rng: np.random.Generator, sizes: BoxSizes) -> Box:
    """A box of usual size, anywhere inside the picture."""
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
SEEN_SHARE = 0.53  # of the regions, by each of them
SIDE_JITTER = 0.11  # deviation of every side, as a share of the region's height or width
STRAY_SHARE = 0.03  # of the annotators box a place where nothing was drawn
# Named as (column), where (row) was drawn: half of how often two scientists named one place differently (boxes with an
# overlap above half of their union, in 32,487 boxes), since either of the two may be the mistaken one.
NAMED = np.array(
    [
        # Fish Flower Gravel Sugar
        [0.935, 0.025, 0.029, 0.011],
        [0.021, 0.961, 0.011, 0.007],
        [0.027, 0.013, 0.873, 0.087],
        [0.007, 0.005, 0.057, 0.931],
    ]
)


def annotate(rng: np.random.Generator, regions: Sequence[Region]) -> list[Region]:
    """The boxes of all annotators, never none: a picture on which nobody sees anything is shown again."""
    boxes: list[Region] = []
    while not boxes:
        for _ in range(ANNOTATORS):
            boxes += _boxes_of_one(rng, regions)
    return boxes


def _boxes_of_one(rng: np.random.Generator, regions: Sequence[Region]) -> list[Region]:
    seen = [region for region in regions if rng.random() < SEEN_SHARE]
    boxes = [Region(int(rng.choice(4, p=NAMED[region.class_index])), _jittered(rng, region.box)) for region in seen]
    if rng.random() < STRAY_SHARE:
        class_index = int(rng.integers(4))
        boxes.append(Region(class_index, draw_box(rng, BOX_SIZES[class_index])))
    return boxes


def _jittered(rng: np.random.Generator, box: Box) -> Box:
    height, width = box.bottom - box.top, box.right - box.left
    top, left, bottom, right = rng.normal(0, SIDE_JITTER, 4) * (height, width, height, width)
    return Box(box.top + top, box.left + left, box.bottom + bottom, box.right + right).clipped()


def union_of(boxes: Sequence[Region], visible: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Boxes → masks (C×H×W), cut where the picture (H×W) shows nothing."""
    masks = np.zeros((len(BOX_SIZES), *visible.shape), bool)
    for region in boxes:
        region.box.fill(masks[region.class_index])
    return masks & visible
