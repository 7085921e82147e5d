"""Everything that the routes share: model, rules, store of pictures, threads for the networks, and the run."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, TypeVar

import cv2
import numpy as np

from nephoscope.app.decisions import Decision, RequestRule
from nephoscope.app.errors import RequestError
from nephoscope.app.holdout import Holdout
from nephoscope.app.options import Bounds
from nephoscope.app.pictures import HeatMaps, Picture, read_picture
from nephoscope.app.schemas import prediction_response
from nephoscope.app.sessions import PictureStore
from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.bundle.load import open_portable
from nephoscope.bundle.provenance import trace_provenance
from nephoscope.data.formats import Format
from nephoscope.errors import UserError
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result
from nephoscope.masks.outlines import exact_path
from nephoscope.provenance import Provenance
from nephoscope.rules.rules import Rules
from nephoscope.settings.choices import Choice

T = TypeVar("T")
RETRY_AFTER = 2  # seconds
COMMAND = "nephoscope serve"
THREADS = 2
"""While the networks read one image, another one is decoded."""
RUN_PREFIX = "run:"
"""Start of the id of a holdout picture, followed by its image_id. Every visitor may see it."""


class Pool:
    """Threads for slow calls, with a bound on the number of waiting calls."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "networks")
        self._places = BoundedSemaphore(threads + waiting)

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """The result of the call; an error at once if too many calls wait."""
        if not self._places.acquire(blocking=False):
            message = "the server is busy with other images; try again in a moment"
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_AFTER)})
        future = self._threads.submit(call, *arguments)
        # Released when the thread has finished, even if the visitor has left before.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class AppState:
    model: Ensemble
    rules: Rules
    provenance: Provenance
    format: Format
    store: PictureStore
    pool: Pool
    max_megabytes: float
    heat_maps: HeatMaps
    holdout: Holdout | None = None

    @property
    def fingerprint(self) -> str:
        """Of the model."""
        return self.provenance.model

    def find(self, session: str, picture_id: str) -> Picture:
        """A picture of this visitor or of the run."""
        if self.holdout and picture_id.startswith(RUN_PREFIX):
            return self.holdout.picture(picture_id.removeprefix(RUN_PREFIX))
        return self.store.get(session, picture_id)

    def decide(self, picture: Picture, rules: list[RequestRule]) -> Decision:
        """One rule per class, in the order of the classes. A scene of several windows keeps the tuned rules."""
        classes = self.rules.classes
        if len(rules) != len(classes):
            message = f"{len(rules)} rules; expected {len(classes)}, for {', '.join(classes)}"
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
        return self.decide_by(picture, self.rules.model_copy(update={"rules": tuple(rules)}))

    def decide_by(self, picture: Picture, rules: Rules) -> Decision:
        if isinstance(picture.prediction, Result):
            decision = Decision.of_scene(picture.prediction, self.rules)
        else:
            decision = Decision.of_prediction(picture.image_id, picture.prediction, rules)
        provenance = replace(self.provenance, rules=decision.rules.digest).of_source(picture.image_id, picture.sha256)
        result = replace(decision.result, place=picture.place, provenance=provenance)
        return replace(decision, result=result)


def open_state(
    model: Path | None, engine: Choice, bounds: Bounds, run: Path | None = None, dataset: Path | None = None
) -> AppState:
    """Open a model folder (default: the shipped model) or a finished run with its own model and its holdout."""
    if model and run:
        raise UserError("--run uses the model of the run; remove --model or --run")
    if dataset and not run:
        raise UserError("--dataset holds the full-size images of a run; add --run, or remove --dataset")
    if dataset and not dataset.is_dir():
        raise UserError(f"--dataset {dataset}: no such folder; give prepare.root of the run, or remove --dataset")
    artifacts = Artifacts(run) if run else None
    folder = model or (artifacts.export.model if artifacts else SHIPPED)
    ensemble, rules = open_portable(folder, engine)
    _warm_up(ensemble, rules)
    return AppState(
        ensemble,
        rules,
        trace_provenance(folder, ensemble, rules, COMMAND),
        ensemble.metadata.data_format,
        PictureStore(bounds.per_visitor, bounds.in_all),
        Pool(THREADS, bounds.waiting),
        bounds.max_megabytes,
        HeatMaps(folder),
        Holdout.open(artifacts, rules, dataset) if artifacts else None,
    )


def _warm_up(model: Ensemble, rules: Rules) -> None:
    """Process one image of noise, so that no visitor waits for compilation and loading."""
    noise = np.random.default_rng(0).integers(0, 255, (*rules.output_shape, 3), np.uint8)
    picture = read_picture(model, cv2.imencode(".jpg", noise)[1].tobytes(), "")
    lenient = tuple(rule.model_copy(update={"presence_threshold": 0.0, "min_area": 2}) for rule in rules.rules)
    assert not isinstance(picture.prediction, Result)
    decision = Decision.of_prediction("", picture.prediction, rules.model_copy(update={"rules": lenient}))
    for mask in decision.masks:
        exact_path(mask)
    prediction_response(decision, "")
