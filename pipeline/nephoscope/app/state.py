"""Threads for work that takes its time, and a bound on how much of it may wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any, TypeVar

from nephoscope.app.decisions import Decision, Move, move_rules
from nephoscope.app.errors import RequestError
from nephoscope.app.heat_maps import HeatMaps
from nephoscope.app.holdout import Holdout
from nephoscope.app.pictures import Picture
from nephoscope.app.sessions import PictureStore
from nephoscope.data.formats import Format
from nephoscope.inference.ensemble import Ensemble
from nephoscope.rules.rules import Rules

T = TypeVar("T")
RETRY_AFTER = 2  # seconds


class Pool:
    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "networks")
        self._places = BoundedSemaphore(threads + waiting)

    async def run(self, call: Callable[..., T], *given: Any) -> T:
        """The result of the call; refused at once where too many wait already."""
        if not self._places.acquire(blocking=False):
            message = "the server is busy with other pictures; try again in a moment"
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_AFTER)})
        future = self._threads.submit(call, *given)
        # The place is free when the thread is, not when the visitor goes away.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


OF_THE_RUN = "run:"
"""Before the image_id of a picture of the run, which every visitor may see."""


@dataclass(frozen=True)
class AppState:
    model: Ensemble
    rules: Rules
    fingerprint: str
    format: Format
    store: PictureStore
    pool: Pool
    max_megabytes: float
    heat_maps: HeatMaps
    holdout: Holdout | None = None

    def find(self, session: str, picture_id: str) -> Picture:
        """A picture of this visitor, or of the run."""
        if self.holdout and picture_id.startswith(OF_THE_RUN):
            return self.holdout.picture(picture_id.removeprefix(OF_THE_RUN))
        return self.store.get(session, picture_id)

    def decide(self, picture: Picture, moves: list[Move]) -> Decision:
        classes = self.rules.classes
        if len(moves) != len(classes):
            message = f"{len(moves)} rules; expected {len(classes)}, for {', '.join(classes)}"
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
        return Decision(picture.prediction, move_rules(self.rules, moves))
