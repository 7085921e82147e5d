"""One ASGI application: the guard, the routes, and the page with its files."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pipeline.delivery.app.desk import Desk
from pipeline.delivery.app.guard import Guard
from pipeline.delivery.app.page_routes import page_routes
from pipeline.delivery.app.program_routes import program_routes
from pipeline.delivery.app.refusal import refuse_in_json

STATIC = Path(__file__).parent / "static"


def build_app(desk: Desk, hosts: Collection[str] | None) -> ASGIApp:
    """`hosts`: names under which the server may be asked for; None: any."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.pool.close()

    app = FastAPI(
        title="nephoscope",
        version=version("nephoscope"),
        summary="Reads how shallow clouds organise.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    refuse_in_json(app)
    app.include_router(program_routes(desk))
    app.include_router(page_routes(desk))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return Guard(app, hosts)  # around everything, errors too
