"""Label issues: annotations that contradict the networks, on images that the networks were not trained on."""

import numpy as np
import pandas as pd

from nephoscope.evaluation.labelled import LabelledImages
from nephoscope.rules.presence import decide_presence
from nephoscope.rules.rules import Rules

COLUMNS = ("image_id", "class_name", "split", "annotated", "presence", "surprise", "annotated_share")


def find_label_issues(labelled: LabelledImages, rules: Rules, split: str) -> pd.DataFrame:
    """Every image and class with an annotation of probability below 0.5, largest surprise (in bits) first.

    Example: if all probabilities are right, one label in 32 has a surprise of at least 5 bits.
    """
    presence = decide_presence(labelled.raw, rules).probability
    areas = np.stack([labelled[index].truth.mean(axis=(1, 2)) for index in range(len(labelled))])
    annotated = areas > 0
    likelihood = np.where(annotated, presence, 1 - presence)
    columns = {
        "image_id": np.repeat(labelled.image_ids, len(labelled.classes)),
        "class_name": np.tile(labelled.classes, len(labelled.image_ids)),
        "split": split,
        "annotated": annotated.ravel(),
        "presence": presence.ravel(),
        "surprise": -np.log2(np.maximum(likelihood, 1e-6)).ravel(),
        "annotated_share": areas.ravel(),
    }
    table = pd.DataFrame(columns)[list(COLUMNS)]
    return sort_by_surprise(table[likelihood.ravel() < 0.5])


def sort_by_surprise(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["surprise", "image_id", "class_name"], ascending=[False, True, True], ignore_index=True)
