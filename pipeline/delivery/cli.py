"""The command line: `nephoscope predict …`, `nephoscope explain …`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.delivery.portable import SHIPPED, Choice
from pipeline.delivery.predicting import predict_pictures
from pipeline.mendable import Mendable

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Reads how shallow clouds organise.")


@app.callback()
def _group() -> None:
    """Keeps `predict` a command of its own while it is the only one."""


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


@app.command(no_args_is_help=True)
def explain(
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or patterns; also s3://… or gs://…")],
    model: Annotated[
        Path, typer.Option(help="Folder of a portable model; by default the one that is shipped")
    ] = SHIPPED,
    out: Annotated[Path, typer.Option(help="Folder for the heat maps")] = Path("explained"),
    class_name: Annotated[list[str] | None, typer.Option(help="Only this class; may be said again")] = None,
) -> None:
    """Where the classifier looks: a heat map for every picture and class (Grad-CAM).

    OUT/<image_id>_<class_name>.jpg: the brighter, the more that place speaks for the class. OUT/summary.csv: what the
    classifier takes the chance of the class for. OUT/faults.csv: what is no picture.

    A run that was interrupted goes on where it stopped: say the same again.

    nephoscope explain artifacts/synthesize/dataset/test_images --out explained
    """
    from pipeline.delivery.explaining import explain_pictures  # with captum, whose start no other command waits for

    explained, faulty = explain_pictures(pictures, model, out, class_name or ())
    typer.echo(f"{out}/summary.csv: {explained} pictures")
    if faulty:
        typer.echo(f"{out}/faults.csv: {faulty} pictures could not be read", err=True)
        raise typer.Exit(1)


def main() -> None:
    try:
        app()
    except Mendable as error:
        typer.echo(f"nephoscope: {error}", err=True)
        raise SystemExit(2) from None
