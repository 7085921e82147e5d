"""Masks, presence and Dice of one picture under changed rules, by the functions that tuned and measured the rules."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field

from nephoscope.app.pictures import Masks
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.result import Result, decide_results, raw_presences
from nephoscope.masks.dice import dice
from nephoscope.rules.presence import presences
from nephoscope.rules.rules import NEVER, Rule, Rules


class RequestRule(Rule):
    """A rule in a request; with a bound, so that NaN and infinity are rejected."""

    presence_threshold: float = Field(ge=0, le=NEVER)


@dataclass(frozen=True)
class Decision:
    """What the rules decide about one picture."""

    result: Result
    rules: Rules
    scores: tuple[float | None, ...]
    """Per class, the value that is compared with the presence threshold. None where there are several windows."""

    @classmethod
    def of_prediction(cls, image_id: str, prediction: Prediction, rules: Rules) -> Self:
        (result,) = decide_results([image_id], [prediction], rules)
        return cls(result, rules, tuple(presences(raw_presences([prediction]), rules)[0].tolist()))

    @classmethod
    def of_scene(cls, result: Result, rules: Rules) -> Self:
        """A scene of several windows, which was decided as a whole."""
        return cls(result, rules, (None,) * len(rules.classes))

    @property
    def masks(self) -> Masks:
        """C×H×W on the cells of the result."""
        return self.result.masks

    def dices(self, truth: Masks | None) -> list[float | None]:
        """Dice per class; None without truth."""
        if truth is None:
            return [None] * len(self.rules.classes)
        return [dice(true, mask) for true, mask in zip(truth, np.asarray(self.masks), strict=True)]
