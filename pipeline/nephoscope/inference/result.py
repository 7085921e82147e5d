"""What is decided of an image: its masks and the presence of every class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nephoscope.evaluation.store import Prediction
from nephoscope.masks.rle import Mask
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.presence import SURE, RawPresences, decide_presence
from nephoscope.rules.rules import Levels, Rules


@dataclass(frozen=True)
class Result:
    """One image. Arrays over classes follow the order of `classes`; maps have the output shape (H×W)."""

    image_id: str
    classes: tuple[str, ...]
    masks: npt.NDArray[np.bool_]
    """C×H×W: the decided masks."""
    presence: npt.NDArray[np.float64]
    """C: calibrated probability that the class is there."""
    present: npt.NDArray[np.bool_]
    """C: the decision. A present class may still have an empty mask, if all its components are too small."""
    confidence: npt.NDArray[np.float64]
    """C: probability that the decision is right."""
    levels: Levels
    """C×H×W uint8: pixel probabilities as 8-bit levels, round(255·p)."""
    visible: Mask
    """H×W: False where the satellite saw nothing."""

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """C: True where the confidence is below two thirds."""
        return self.confidence < SURE

    @property
    def probability(self) -> npt.NDArray[np.float32]:
        """C×H×W: pixel probabilities, NaN where nothing was seen."""
        return np.where(self.visible, self.levels / np.float32(255), np.float32(np.nan))


def decide_results(image_ids: Sequence[str], predictions: Sequence[Prediction], rules: Rules) -> list[Result]:
    """Predictions of N images → their results. The presence of all images is decided at once."""
    if not predictions:
        return []
    decision = decide_presence(raw_presences(predictions), rules)
    rows = zip(
        image_ids,
        predictions,
        decision.probability,
        decision.compared,
        decision.present,
        decision.confidence,
        strict=True,
    )
    return [
        Result(
            image_id,
            rules.classes,
            decide_masks(compared, prediction.top_mean, prediction.levels, prediction.visible, rules),
            probability,
            present,
            confidence,
            prediction.levels,
            prediction.visible,
        )
        for image_id, prediction, probability, compared, present, confidence in rows
    ]


def raw_presences(predictions: Sequence[Prediction]) -> RawPresences:
    """Predictions of N images → what the networks say of presence, N×C each."""
    return RawPresences(
        np.stack([prediction.classifier for prediction in predictions]),
        np.stack([prediction.top_mean for prediction in predictions]),
    )
