"""Three simulated scientists box what they see; the truth of a scene is the union of their boxes per class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.data.synthetic.layout import BOX_SIZES, Region, draw_box
from pipeline.data.synthetic.scene import Box

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
