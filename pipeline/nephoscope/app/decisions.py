"""A moved rule → masks, presences and Dice of a picture, by the functions that tuned and measured the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from nephoscope.app.pictures import Masks
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.result import decide_results, raw_presences
from nephoscope.masks.dice import dice
from nephoscope.rules.presence import PresenceDecision, Presences, decide_presence
from nephoscope.rules.rules import NEVER, Level, Rule, Rules


class Move(BaseModel):
    """What a visitor may move of the rule of a class; the rest stays as it was tuned."""

    model_config = ConfigDict(extra="forbid")
    presence_threshold: float = Field(ge=0, le=NEVER)
    pixel_threshold: Level
    min_area: int = Field(ge=0, le=2**31 - 1)


def move_rules(tuned: Rules, moves: Sequence[Move]) -> Rules:
    """One move per class, in their order."""
    each = zip(tuned.rules, moves, strict=True)
    moved = tuple(Rule.model_validate(rule.model_dump() | move.model_dump()) for rule, move in each)
    return tuned.model_copy(update={"rules": moved})


@dataclass(frozen=True)
class Decision:
    """One picture as the rules decide it."""

    prediction: Prediction
    rules: Rules

    @cached_property
    def masks(self) -> Masks:
        return decide_results([""], [self.prediction], self.rules)[0].masks

    @cached_property
    def decision(self) -> PresenceDecision:
        """Of one picture: 1×C each."""
        return decide_presence(raw_presences([self.prediction]), self.rules)

    @cached_property
    def scores(self) -> Presences:
        """C: what is compared with the presence thresholds."""
        scores: Presences = self.decision.compared[0]
        return scores

    def dices(self, truth: Masks | None) -> list[float | None]:
        """Per class; unknown without truth."""
        if truth is None:
            return [None] * len(self.rules.classes)
        return [dice(*pair) for pair in zip(truth, self.masks, strict=True)]
