"""Masks, presence and Dice of one picture under changed rules, by the functions that tuned and measured the rules."""

from dataclasses import dataclass
from functools import cached_property

from pydantic import Field

from nephoscope.app.pictures import Masks
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.result import decide_results, raw_presences
from nephoscope.masks.dice import dice
from nephoscope.rules.presence import PresenceDecision, Presences, decide_presence
from nephoscope.rules.rules import NEVER, Rule, Rules


class RequestRule(Rule):
    """A rule in a request; the upper bounds keep its values within the range of the integer types."""

    presence_threshold: float = Field(ge=0, le=NEVER)
    min_area: int = Field(ge=0, le=2**31 - 1)


@dataclass(frozen=True)
class Decision:
    """What the rules decide about one picture."""

    prediction: Prediction
    rules: Rules

    @cached_property
    def masks(self) -> Masks:
        """C×H×W at the output shape."""
        return decide_results([""], [self.prediction], self.rules)[0].masks

    @cached_property
    def presence(self) -> PresenceDecision:
        """Each array is 1×C."""
        return decide_presence(raw_presences([self.prediction]), self.rules)

    @cached_property
    def scores(self) -> Presences:
        """C: the values that are compared with the presence thresholds."""
        scores: Presences = self.presence.compared[0]
        return scores

    def dices(self, truth: Masks | None) -> list[float | None]:
        """Dice per class; None without truth."""
        if truth is None:
            return [None] * len(self.rules.classes)
        return [dice(true, mask) for true, mask in zip(truth, self.masks, strict=True)]
