"""The command line: what can be asked for, and how.

A command imports what it needs when it is called, so that help is there at once.
"""

import sys
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from nephoscope.app.options import Address, Bounds
from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.errors import UserError
from nephoscope.settings.choices import OUTPUTS, Choice, parse_outputs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Reads how shallow clouds organise: which patterns a satellite picture shows, and where.",
)
ARTIFACTS = Artifacts().root
UNEXPECTED = 70
"""Exit code of a failure of ours, which is no picture set aside: EX_SOFTWARE, as sysexits.h has it."""
Pictures = Annotated[list[str], typer.Argument(help="Files, folders or patterns; also s3://… or gs://…")]
Model = Annotated[Path, typer.Option(help="Folder of a portable model", show_default="the one that is shipped")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines for programs in place of words for people")]


@app.command(no_args_is_help=True)
def predict(
    pictures: Pictures,
    model: Model = SHIPPED,
    out: Annotated[str, typer.Option(help="Folder for the results")] = "predicted",
    write: Annotated[
        str, typer.Option(help=f"What to write, with commas between: any of {', '.join(OUTPUTS)}")
    ] = "submission,masks",
    engine: Annotated[Choice, typer.Option(help="auto: the fastest installed that answers like torch")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures computed at once, by each core")] = 4,
    shard_size: Annotated[int, typer.Option(min=1, help="Pictures that are done again after a crash, at most")] = 64,
    cluster: Annotated[str | None, typer.Option(help="Spread over Ray: local, or a cluster's address")] = None,
    as_json: AsJson = False,
) -> None:
    """Which patterns pictures show, and where.

    **Always written**: `summary.csv` (the chance that a class is there, how sure the decision is, its share of the
    picture, how much was seen) and `problems.csv` (what is no picture, or shows nothing but black, and why).

    **By choice**, with `--write`: `submission` (RLE, as the competition wants it), `masks` (a PNG each),
    `overlays` (the picture with every class outlined), `geojson` (outlines, in pixels), `coco` (one file for all).

    A run that was interrupted goes on where it stopped: say the same again. A finished one makes further outputs of
    what it did. Pictures that were set aside are tried again. The exit code is 0 if all went well, 1 if pictures were
    set aside, 2 if nothing could be done, 70 if nephoscope itself failed.

        nephoscope predict artifacts/synthesize/dataset/test_images --out predicted

        nephoscope predict 'pictures/*.jpg' --write overlays,geojson --out outlined

        nephoscope predict picture.jpg --json | jq 'select(.event == "picture")'
    """
    from nephoscope.batch.jsonl import write_line, write_pictures, write_progress
    from nephoscope.batch.predict import predict_pictures
    from nephoscope.batch.progress import show_pictures, show_progress

    done = predict_pictures(
        pictures,
        model,
        out,
        engine=engine,
        batch_size=batch_size,
        shard_size=shard_size,
        cluster=cluster,
        outputs=parse_outputs(write),
        progress=write_progress if as_json else show_progress,
    )
    if as_json:
        write_pictures(done.pictures(), done.plan.format)
        write_line("done", out=out, readable=done.readable, problem=done.problem)
    else:
        show_pictures(done.pictures(), done.plan.format)
        typer.echo(f"{out}/: {done.readable} pictures")
    if done.problem:
        typer.echo(f"{out}/problems.csv: {done.problem} pictures were set aside", err=True)
        raise typer.Exit(1)


@app.command()
def info(model: Model = SHIPPED, as_json: AsJson = False) -> None:
    """Versions, hardware, the model, and where things are: what to add to a question or a bug report."""
    from nephoscope.batch.jsonl import write_line
    from nephoscope.cli.info import describe, show_description

    description = describe(model)
    if as_json:
        write_line("info", **description)
    else:
        show_description(description)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run's artifacts")] = ARTIFACTS,
    show: Annotated[bool, typer.Option(help="Open it in the browser")] = True,
    as_json: AsJson = False,
) -> None:
    """The page of a finished run: its Dice with intervals, curves, pictures, settings.

    Made by `python -m stages.report` if it is missing, and opened in the browser where there is one.

        nephoscope report

        nephoscope report elsewhere/artifacts --no-show
    """
    from nephoscope.batch.jsonl import write_line
    from nephoscope.report.open import open_report

    page = open_report(run, show=show and not as_json)
    if as_json:
        write_line("report", page=str(page))
    else:
        typer.echo(page)


@app.command(no_args_is_help=True)
def explain(
    pictures: Pictures,
    model: Model = SHIPPED,
    out: Annotated[Path, typer.Option(help="Folder for the heat maps")] = Path("explained"),
    class_name: Annotated[list[str] | None, typer.Option(help="Only this class; may be said again")] = None,
    as_json: AsJson = False,
) -> None:
    """Where the classifier looks: a heat map for every picture and class (Grad-CAM).

    `OUT/<image_id>_<class_name>.jpg`: the brighter, the more that place speaks for the class. `OUT/summary.csv`: what
    the classifier takes the chance of the class for. `OUT/problems.csv`: what is no picture.

    A run that was interrupted goes on where it stopped: say the same again.

        nephoscope explain artifacts/synthesize/dataset/test_images --out explained
    """
    from nephoscope.batch.heat_maps import explain_pictures
    from nephoscope.batch.jsonl import write_line, write_progress, write_rows
    from nephoscope.batch.predict import find_pictures
    from nephoscope.batch.progress import show_progress

    progress = write_progress if as_json else partial(show_progress, doing="explain")
    explained, problem = explain_pictures(pictures, model, out, class_name or (), progress=progress)
    if as_json:
        # The folder may hold heat maps of other pictures and classes, too; names that are no UTF-8 are escaped.
        names = (PurePosixPath(address).name for address in find_pictures(pictures))
        asked = {name.encode("utf-8", "backslashreplace").decode() for name in names}
        write_rows(
            "heat_map",
            out / "summary.csv",
            lambda row: row["image_id"] in asked and row["class_name"] in (class_name or [row["class_name"]]),
        )
        write_rows("problem", out / "problems.csv")
        write_line("done", out=str(out), readable=explained, problem=problem)
    else:
        typer.echo(f"{out}/summary.csv: {explained} pictures")
    if problem:
        typer.echo(f"{out}/problems.csv: {problem} pictures were set aside", err=True)
        raise typer.Exit(1)


@app.command()
def serve(
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a portable model", show_default="the run's, or the shipped one"),
    ] = None,
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
    """The app: drop pictures into a page, move the rules, compare with truth; and JSON for programs.

    It listens to this machine alone unless told otherwise, needs no network, and forgets pictures when it ends.

        nephoscope serve

        nephoscope serve --run artifacts --dataset artifacts/synthesize/dataset
    """
    try:
        from nephoscope.app.server import open_and_serve
    except ModuleNotFoundError as error:
        message = f"the app needs {error.name}: `python -m pip install 'nephoscope[app]'`, or in a clone `-e '.[app]'`"
        raise UserError(message) from None
    bounds = Bounds(max_megabytes, pictures_per_visitor, pictures_in_all, waiting)
    address = Address(host, port, tuple(allow_host or ()))
    open_and_serve(bounds, address, model, engine, run, dataset)


def main() -> None:
    try:
        app()
    except UserError as error:
        typer.echo(f"nephoscope: {error}", err=True)
        raise SystemExit(2) from None
    except Exception:
        sys.excepthook(*sys.exc_info())
        raise SystemExit(UNEXPECTED) from None
