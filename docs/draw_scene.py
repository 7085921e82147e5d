"""Draw README's picture from the finished default run: `python -m docs.draw_scene [image_id]`.

It shows a holdout scene, the boxes of its simulated annotators, and the predicted masks. By default, this is the scene
with the median Dice among those with two classes.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from nephoscope.artifacts import Artifacts
from nephoscope.data.images import read_resized
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.figures.colours import CLASS_COLOURS
from nephoscope.figures.overlays import draw_overlay
from nephoscope.masks.geometry import Image
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.presence import presences
from nephoscope.rules.rules import read_rules

TARGET = Path(__file__).parent / "images" / "scene.jpg"
GAP = 12  # pixels between the panels


def main(artifacts: Artifacts, image_id: str) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    labelled = LabelledSplit.open(artifacts, manifest, "holdout")
    index = labelled.image_ids.index(image_id)
    prediction, presence = labelled.store[index], presences(labelled.raw, rules)[index]
    masks = decide_masks(presence, prediction.top_mean, prediction.levels, prediction.visible, rules)

    file = str(manifest.images.set_index("image_id").loc[image_id, "file"])
    image = read_resized(artifacts.synthesize.dataset / file, rules.output_shape)
    without_stripes = np.ones(rules.output_shape, bool)
    panels = [image, *(draw_overlay(image, shown, without_stripes) for shown in (labelled[index].truth, masks))]
    row = join(panels)
    sheet = np.vstack([row, draw_legend(row.shape[1], rules.classes)])
    cv2.imwrite(str(TARGET), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{TARGET}: {image_id}")


def choose(artifacts: Artifacts) -> str:
    """The image_id of the holdout scene with the median Dice among those with two classes."""
    scores = pd.read_csv(artifacts.evaluate.tables / "scores.csv", dtype={"image_id": str})
    scores["annotated"] = scores["truth_area"] > 0
    scenes = scores.groupby("image_id").agg(dice=("dice", "mean"), classes=("annotated", "sum"))
    candidates = scenes[scenes["classes"] == 2].sort_values("dice")
    return str(candidates.index[len(candidates) // 2])


def join(panels: list[Image]) -> Image:
    """Images (H×W×3) → one row of them, with white gaps."""
    white = np.full((panels[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([part for panel in panels for part in (panel, white)][:-1])


def draw_legend(width: int, classes: tuple[str, ...]) -> Image:
    """A white strip (44×width×3) with the colour and name of every class."""
    strip, left = np.full((44, width, 3), 255, np.uint8), 12
    for name, colour in zip(classes, CLASS_COLOURS, strict=False):
        cv2.rectangle(strip, (left, 14), (left + 22, 32), colour, -1)
        cv2.putText(strip, name, (left + 32, 31), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (40, 40, 40), 1, cv2.LINE_AA)
        left += 150
    return strip


if __name__ == "__main__":
    main(Artifacts(), sys.argv[1] if len(sys.argv) > 1 else choose(Artifacts()))
