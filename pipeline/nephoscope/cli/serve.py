"""The command `nephoscope serve`."""

from pathlib import Path
from typing import Annotated

import typer

from nephoscope.app.options import Address, Bounds, choose_token
from nephoscope.cli.options import Engine


def serve(
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of the model", show_default="that of --run, or the shipped model"),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Artifacts folder of a finished run: serves its model and holdout images")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Data set of the run (prepare.root), to show its images in full resolution")
    ] = None,
    engine: Engine = "auto",
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that other machines can reach needs a token")
    ] = Address.host,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free port")] = Address.port,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Further host name of this server, behind a proxy; may be repeated")
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="NEPHOSCOPE_TOKEN",
            help="Token that requests must have",
            show_default="random; none if only this machine can reach the server",
        ),
    ] = "",
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Allow requests without a token, behind a proxy with a login")
    ] = False,
    max_megabytes: Annotated[
        float, typer.Option(min=0.001, help="Size limit of an uploaded file")
    ] = Bounds.max_megabytes,
    pictures_per_visitor: Annotated[
        int, typer.Option(min=1, help="Images kept in memory per visitor; the oldest are dropped")
    ] = Bounds.per_visitor,
    pictures_in_all: Annotated[
        int, typer.Option(min=1, help="Images kept in memory for all visitors together")
    ] = Bounds.in_all,
    waiting: Annotated[
        int, typer.Option(min=0, help="Images that may wait for prediction; further ones are rejected")
    ] = Bounds.waiting,
) -> None:
    """Start the web app: drop images into a page, change the rules, compare with the labels. It has a JSON API, too.

    It listens on this machine only, needs no network, and keeps images in memory only.

        nephoscope serve --run artifacts
    """
    from nephoscope.app.server import open_and_serve

    bounds = Bounds(max_megabytes, pictures_per_visitor, pictures_in_all, waiting)
    address = Address(host, port, tuple(allow_host or ()), choose_token(host, token, no_token))
    open_and_serve(bounds, address, model, engine, run, dataset)
