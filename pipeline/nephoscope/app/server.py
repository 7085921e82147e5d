"""The server: builds the ASGI application, binds the address, runs uvicorn."""

import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from nephoscope.app.api_routes import api_routes
from nephoscope.app.connections import Connection
from nephoscope.app.errors import add_error_handlers
from nephoscope.app.middleware import AccessGuard, TokenGuard, UploadGuard
from nephoscope.app.options import Address, Bounds, Limits
from nephoscope.app.page_routes import page_routes
from nephoscope.app.state import AppState, open_state
from nephoscope.errors import UserError
from nephoscope.settings.choices import Choice

STATIC = Path(__file__).parent / "static"
TICKS = 10
"""uvicorn ticks ten times a second; connections are checked once"""


def open_and_serve(
    bounds: Bounds, address: Address, model: Path | None, engine: Choice, run: Path | None, dataset: Path | None
) -> None:
    """Serve until interrupted; status messages go to stderr."""
    listening = bind(address)  # before the model is opened, so that a port in use is reported at once
    if address.warning:
        _log(address.warning)
    _log("opening the model")
    state = open_state(model, engine, bounds, run, dataset)
    page = f"{url(listening)}/?token={address.token}" if address.token else url(listening)
    make_server(state, address, lambda: _log(f"ready: {page}")).run([listening])


def _log(line: str) -> None:
    sys.stderr.write(f"nephoscope: {line}\n")
    sys.stderr.flush()


def bind(address: Address) -> socket.socket:
    """A listening socket."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listening = socket.create_server((address.host, address.port), family=family, backlog=Limits.connections)
    except OSError as error:
        raise UserError(
            f"cannot listen on {address.host}, port {address.port}: {error.strerror}; choose another --port or --host"
        ) from None
    # Connections inherit it. Without it, the body of a response waits 40 ms for the acknowledgement of the headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Calls `on_ready` as soon as it accepts requests, and closes connections that clients hold."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            for connection in [*self.server_state.connections]:
                assert isinstance(connection, Connection)
                connection.close_if_held()
        return await super().on_tick(counter)


def make_server(
    state: AppState, address: Address, on_ready: Callable[[], None] = lambda: None, limits: Limits | None = None
) -> Server:
    limits = limits or Limits()
    config = uvicorn.Config(
        build_app(state, address.allowed, address.token, limits),
        host=address.host,
        http=partial(Connection, limits),  # type: ignore[arg-type]  # only called
        log_level="warning",
        access_log=False,  # file names of visitors must not be logged
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )
    return Server(config, on_ready)


def build_app(state: AppState, hosts: Collection[str] | None, token: str = "", limits: Limits | None = None) -> ASGIApp:
    """`hosts`: names of this server; None: any. `token`: that requests must have; empty: none."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        state.pool.close()

    app = FastAPI(
        title="nephoscope",
        version=version("nephoscope"),
        summary="Reads how shallow clouds organise.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # both pages would load scripts from other sites
        redoc_url=None,
        lifespan=lifespan,
    )
    add_error_handlers(app)
    app.include_router(api_routes(state))
    app.include_router(page_routes(state))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    guarded: ASGIApp = UploadGuard(app, limits or Limits())
    if token:
        guarded = TokenGuard(guarded, token)
    return AccessGuard(guarded, hosts)  # outermost, so that error responses have the security headers too
