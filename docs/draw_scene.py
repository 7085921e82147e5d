"""Draw the README's picture from the finished default run: `python -m docs.draw_scene [image_id]`.

A scene, what its annotators boxed, and what was decided. Without an image_id it is a holdout scene of two
classes and of middling Dice among those, so that it is easy to read and flatters nobody.
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
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.file import read_rules
from nephoscope.rules.presence import presences

TARGET = Path("docs/images/scene.jpg")
GAP = 12


def main(artifacts: Artifacts, image_id: str | None) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    labelled = LabelledSplit.open(artifacts, manifest, "holdout")
    image_id = image_id or choose(artifacts)
    index = labelled.image_ids.index(image_id)
    file = manifest.images.set_index("image_id").loc[image_id, "file"]
    image = read_resized(artifacts.synthesize.dataset / str(file), rules.output_shape)
    found = labelled.store[index]
    decided = decide_masks(presences(labelled.raw, rules)[index], found.top_mean, found.levels, found.visible, rules)
    everything = np.ones(rules.output_shape, bool)
    panels = [image, *(draw_overlay(image, masks, everything) for masks in (labelled[index].truth, decided))]
    white = np.full((image.shape[0], GAP, 3), 255, np.uint8)
    row = np.hstack([panels[0], white, panels[1], white, panels[2]])
    TARGET.parent.mkdir(exist_ok=True)
    sheet = np.vstack([row, legend(row.shape[1], rules.classes)])
    cv2.imwrite(str(TARGET), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{TARGET}: {image_id}")


def choose(artifacts: Artifacts) -> str:
    scores = pd.read_csv(artifacts.evaluate.tables / "scores.csv", dtype={"image_id": str})
    pictures = scores.groupby("image_id").agg(dice=("dice", "mean"), shown=("truth_area", lambda a: (a > 0).sum()))
    two = pictures[pictures["shown"] == 2].sort_values("dice")
    return str(two.index[len(two) // 2])


def legend(width: int, classes: tuple[str, ...]) -> np.ndarray:
    strip, left = np.full((44, width, 3), 255, np.uint8), 12
    for name, colour in zip(classes, CLASS_COLOURS, strict=False):
        cv2.rectangle(strip, (left, 14), (left + 22, 32), colour, -1)
        cv2.putText(strip, name, (left + 32, 31), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (40, 40, 40), 1, cv2.LINE_AA)
        left += 150
    return strip


if __name__ == "__main__":
    main(Artifacts(), sys.argv[1] if len(sys.argv) > 1 else None)
