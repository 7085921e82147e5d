"""One ASGI application: the guard, the routes, and the page with its files."""

import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from nephoscope.app.api_routes import program_routes
from nephoscope.app.decisions import Decision
from nephoscope.app.errors import errors_as_json
from nephoscope.app.heat_maps import HeatMaps
from nephoscope.app.holdout import Holdout
from nephoscope.app.middleware import AccessGuard
from nephoscope.app.options import Address, Bounds
from nephoscope.app.page_routes import page_routes
from nephoscope.app.pictures import read_picture
from nephoscope.app.schemas import prediction_schema
from nephoscope.app.sessions import PictureStore
from nephoscope.app.state import AppState, Pool
from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.bundle.folder import fingerprint
from nephoscope.bundle.load import open_portable
from nephoscope.data.formats import FORMATS
from nephoscope.errors import UserError
from nephoscope.inference.ensemble import Ensemble
from nephoscope.masks.outlines import exact_path
from nephoscope.rules.rules import Rules
from nephoscope.settings.choices import Choice

STATIC = Path(__file__).parent / "static"


def build_app(state: AppState, hosts: Collection[str] | None) -> ASGIApp:
    """`hosts`: names under which the server may be asked for; None: any."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        state.pool.close()

    app = FastAPI(
        title="nephoscope",
        version=version("nephoscope"),
        summary="Reads how shallow clouds organise.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    errors_as_json(app)
    app.include_router(program_routes(state))
    app.include_router(page_routes(state))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return AccessGuard(app, hosts)  # around everything, errors too


THREADS = 2
"""While one picture is with the networks, another is decoded."""
CONNECTIONS = 64
"""At once; each may be sending a file."""


def open_state(
    model: Path | None, engine: Choice, bounds: Bounds, run: Path | None = None, dataset: Path | None = None
) -> AppState:
    """The model (by default the shipped one, or the run's own), and the holdout of the run."""
    if model and run:
        raise UserError("--run shows what its own model says; leave --model out, or --run")
    if dataset and not run:
        raise UserError("--dataset has the sharp pictures of a run; say --run, too, or leave it out")
    if dataset and not dataset.is_dir():
        raise UserError(f"--dataset {dataset}: no such folder; name the run's prepare.root, or leave it out")
    artifacts = Artifacts(run) if run else None
    folder = model or (artifacts.export.model if artifacts else SHIPPED)
    ensemble, rules = open_portable(folder, engine)
    warm_up(ensemble, rules)
    return AppState(
        ensemble,
        rules,
        fingerprint(folder),
        FORMATS[ensemble.metadata.format],
        PictureStore(bounds.per_visitor, bounds.in_all),
        Pool(THREADS, bounds.waiting),
        bounds.max_megabytes,
        HeatMaps(folder),
        Holdout.open(artifacts, rules, dataset) if artifacts else None,
    )


def warm_up(model: Ensemble, rules: Rules) -> None:
    """The first picture compiles and loads what all others use: nobody should wait for that."""
    _, drawn = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (*rules.output_shape, 3), np.uint8))
    picture = read_picture(model, drawn.tobytes(), "")
    lenient = tuple(rule.model_copy(update={"presence_threshold": 0.0, "min_area": 2}) for rule in rules.rules)
    decision = Decision(picture.prediction, rules.model_copy(update={"rules": lenient}))
    for mask in decision.masks:
        exact_path(mask)
    prediction_schema("", decision, "")


class Server(uvicorn.Server):
    """Says when it answers, not before."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def make_server(state: AppState, address: Address, ready: Callable[[], None] = lambda: None) -> Server:
    config = uvicorn.Config(
        build_app(state, address.allowed),
        host=address.host,
        log_level="warning",
        access_log=False,  # file names of visitors belong into no log
        server_header=False,
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    return Server(config, ready)


def serve(state: AppState, address: Address, bound: socket.socket, say: Callable[[str], None]) -> None:
    """Until it is stopped."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    make_server(state, address, lambda: say(f"ready: http://{shown}:{port}")).run([bound])


def bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        bound = socket.create_server((address.host, address.port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        way_out = "choose another --port, or another --host"
        raise UserError(f"cannot listen at {address.host}, port {address.port}: {error.strerror}; {way_out}") from None
    # Connections inherit it. Without it an answer's body waits 40 ms until its head is acknowledged.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def open_and_serve(
    bounds: Bounds, address: Address, model: Path | None, engine: Choice, run: Path | None, dataset: Path | None
) -> None:
    def say(line: str) -> None:
        sys.stderr.write(f"nephoscope: {line}\n")
        sys.stderr.flush()

    bound = bind(address)  # first, for a port that is taken is known at once, and a model only after seconds
    if address.warning:
        say(address.warning)
    say("opening the model")
    serve(open_state(model, engine, bounds, run, dataset), address, bound, say)


PATIENCE = 60  # seconds


@contextmanager
def running(state: AppState) -> Iterator[str]:
    """Its address, as long as the block lasts."""
    address, ready = Address(port=0), threading.Event()
    bound = bind(address)
    server = make_server(state, address, ready.set)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        if not ready.wait(PATIENCE):
            raise TimeoutError(f"the server did not answer within {PATIENCE} seconds")
        yield f"http://{address.host}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
