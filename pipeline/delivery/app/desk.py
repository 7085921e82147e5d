"""All that the routes work with: the model, its rules, the visitors' pictures, and a run if one was given."""

from dataclasses import dataclass
from http import HTTPStatus

from pipeline.data.format import Format
from pipeline.delivery.app.deciding import Decision, Move, move_rules
from pipeline.delivery.app.heats import Heats
from pipeline.delivery.app.holdout import Holdout
from pipeline.delivery.app.pool import Pool
from pipeline.delivery.app.reading import Picture
from pipeline.delivery.app.refusal import RefusalError
from pipeline.delivery.app.shelf import Shelf
from pipeline.inference.two_stage import TwoStage
from pipeline.masks.rule import Rules

OF_THE_RUN = "run:"
"""Before the image_id of a picture of the run, which every visitor may see."""


@dataclass(frozen=True)
class Desk:
    model: TwoStage
    rules: Rules
    fingerprint: str
    format: Format
    shelf: Shelf
    pool: Pool
    max_megabytes: float
    heats: Heats
    holdout: Holdout | None = None

    def find(self, session: str, picture_id: str) -> Picture:
        """A picture of this visitor, or of the run."""
        if self.holdout and picture_id.startswith(OF_THE_RUN):
            return self.holdout.picture(picture_id.removeprefix(OF_THE_RUN))
        return self.shelf.get(session, picture_id)

    def decide(self, picture: Picture, moves: list[Move]) -> Decision:
        classes = self.rules.classes
        if len(moves) != len(classes):
            message = f"{len(moves)} rules; expected {len(classes)}, for {', '.join(classes)}"
            raise RefusalError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
        return Decision(picture.prediction, move_rules(self.rules, moves))
