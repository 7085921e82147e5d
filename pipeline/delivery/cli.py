"""The command line: `nephoscope predict …`, `nephoscope serve`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.delivery.app.options import Address, Bounds
from pipeline.delivery.portable import SHIPPED, Choice
from pipeline.delivery.predicting import predict_pictures
from pipeline.mendable import Mendable

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Reads how shallow clouds organise.")


@app.command(no_args_is_help=True)
def predict(
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or patterns; also s3://… or gs://…")],
    model: Annotated[
        Path, typer.Option(help="Folder of a portable model; by default the one that is shipped")
    ] = SHIPPED,
    out: Annotated[str, typer.Option(help="Folder for the results")] = "predicted",
    engine: Annotated[Choice, typer.Option(help="auto: the fastest installed that answers like torch")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures computed at once, by each core")] = 4,
    shard_size: Annotated[int, typer.Option(min=1, help="Pictures that are done again after a crash, at most")] = 64,
    masks: Annotated[bool, typer.Option(help="Write every mask as a PNG, too")] = True,
    cluster: Annotated[str | None, typer.Option(help="Spread over Ray: local, or a cluster's address")] = None,
) -> None:
    """Which patterns pictures show, and where.

    OUT/submission.csv: masks as the competition writes them. OUT/summary.csv: the chance that a class is there, how
    sure the decision is, its share of the picture. OUT/masks: every mask as a PNG. OUT/faults.csv: what is no picture.

    A run that was interrupted goes on where it stopped: say the same again.

    nephoscope predict artifacts/synthesize/dataset/test_images --out predicted
    """
    decided, faulty = predict_pictures(
        pictures,
        model,
        out,
        engine=engine,
        batch_size=batch_size,
        shard_size=shard_size,
        cluster=cluster,
        masks=masks,
    )
    typer.echo(f"{out}/submission.csv: {decided} pictures")
    if faulty:
        typer.echo(f"{out}/faults.csv: {faulty} pictures could not be read", err=True)
        raise typer.Exit(1)


@app.command()
def serve(
    model: Annotated[Path | None, typer.Option(help="Folder of a portable model; by default the one shipped")] = None,
    run: Annotated[Path | None, typer.Option(help="A finished run, such as artifacts: its model and holdout")] = None,
    dataset: Annotated[Path | None, typer.Option(help="The run's data set (prepare.root), for sharp pictures")] = None,
    engine: Annotated[Choice, typer.Option(help="auto: the fastest installed that answers like torch")] = "auto",
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's are warned of")
    ] = Address.host,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = Address.port,
    allow_host: Annotated[list[str] | None, typer.Option(help="A further name of this server, behind a proxy")] = None,
    max_megabytes: Annotated[
        float, typer.Option(min=0.001, help="The largest file that is taken")
    ] = Bounds.max_megabytes,
    pictures_per_visitor: Annotated[
        int, typer.Option(min=1, help="Kept in memory; the oldest are forgotten")
    ] = Bounds.per_visitor,
    pictures_in_all: Annotated[int, typer.Option(min=1, help="Kept in memory, of all visitors")] = Bounds.in_all,
    waiting: Annotated[
        int, typer.Option(min=0, help="Pictures that may wait; further ones are told to come again")
    ] = Bounds.waiting,
) -> None:
    """The app: drop pictures into a page, move the rules, compare with truth; and JSON for programs."""
    try:
        from pipeline.delivery.app.serving import open_and_serve
    except ModuleNotFoundError as error:
        message = f"the app needs {error.name}: `python -m pip install 'nephoscope[app]'`, or in a clone `-e '.[app]'`"
        raise Mendable(message) from None
    bounds = Bounds(max_megabytes, pictures_per_visitor, pictures_in_all, waiting)
    address = Address(host, port, tuple(allow_host or ()))
    open_and_serve(bounds, address, model, engine, run, dataset)


def main() -> None:
    try:
        app()
    except Mendable as error:
        typer.echo(f"nephoscope: {error}", err=True)
        raise SystemExit(2) from None
