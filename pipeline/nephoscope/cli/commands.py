"""The commands of `nephoscope`, with their options and help.

A command imports its libraries when it runs, so that help appears at once.
"""

import logging
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.cli.command import Command, Group
from nephoscope.cli.imagery import fetch
from nephoscope.cli.interrupts import resumable
from nephoscope.cli.occurrence import grid
from nephoscope.cli.options import SKIPPED, SOFTWARE_ERROR, AsJson, Engine
from nephoscope.cli.serve import serve
from nephoscope.errors import USER_ERROR, as_user_error
from nephoscope.names import printable
from nephoscope.settings.choices import OUTPUTS, Convention, parse_outputs

app = typer.Typer(
    cls=Group,
    rich_markup_mode="markdown",
    help="Finds patterns of shallow clouds in satellite images, and draws a mask for each.",
)
ARTIFACTS = Artifacts().root
Pictures = Annotated[
    list[str], typer.Argument(metavar="IMAGES...", help="Files, folders or patterns; also s3://… or gs://…")
]
Model = Annotated[Path, typer.Option(help="Folder of the model", show_default="the shipped model")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nephoscope {version('nephoscope')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit")
    ] = False,
) -> None:
    """Finds patterns of shallow clouds in satellite images, and draws a mask for each.

    nephoscope predict picture.jpg --out predicted
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(cls=Command, no_args_is_help=True)
def predict(
    pictures: Pictures,
    model: Model = SHIPPED,
    out: Annotated[str, typer.Option(help="Folder for the results")] = "predicted",
    write: Annotated[
        str, typer.Option(help=f"Outputs, separated by commas: {', '.join(OUTPUTS)}")
    ] = "submission,masks",
    engine: Engine = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Images in one call of a network, per core")] = 4,
    shard_size: Annotated[
        int, typer.Option(min=1, help="Images per shard: at most this many are repeated after a crash")
    ] = 64,
    cluster: Annotated[
        str | None, typer.Option(help="Run on a Ray cluster: its address, or local for this machine")
    ] = None,
    bounds: Annotated[
        str | None, typer.Option(metavar="W,S,E,N", help="Place of one image that has none, in degrees")
    ] = None,
    time: Annotated[str | None, typer.Option(metavar="ISO", help="Time (UTC) of one image that has none")] = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=0.9, help="Overlap of windows, in images larger than 21°×14°")
    ] = 0.5,
    zarr_format: Annotated[
        int, typer.Option(min=2, max=3, help="Zarr format: 2 is read by more programs, 3 is the current one")
    ] = 2,
    convention: Annotated[
        Convention, typer.Option(help="c3ontext: also writes c3ontext.zarr, daily frequencies as in C3ONTEXT")
    ] = "nephoscope",
    as_json: AsJson = False,
) -> None:
    """Predict the patterns in images and their masks.

    **Images**: JPEG, PNG, GeoTIFF, NetCDF or Zarr, of any size. The place comes from the file, a world file beside it,
    its name (`Aqua_CorrectedReflectance20071227_-61--40_10-24.jpeg`), or `--bounds` and `--time`.

    **Always written**: `summary.csv` (per image and class: presence, decision, confidence, area) and `problems.csv`
    (images that were skipped, and why).

    **Chosen with `--write`**: `submission` (one CSV file of run-length codes), `masks` (a PNG per mask), `overlays`
    (the image with outlines), `geojson` (outlines, in longitude and latitude where the place is known), `coco` (one
    JSON file of annotations), `netcdf`, `zarr`, `geotiff` (masks and probabilities on Earth).

    Run the same command again to resume an interrupted run, to retry skipped images, or to write further outputs.

    **Exit codes**: 0 success, 1 some images were skipped or lack a file, 2 an error that you can fix, 70 a bug.

        nephoscope predict 'pictures/*.jpg' --write submission,overlays --out predicted
    """
    from nephoscope.batch.maps import MapOptions
    from nephoscope.batch.predict import predict_pictures
    from nephoscope.cli import json_lines, terminal
    from nephoscope.earth.reading.names import parse_bounds

    place = None if bounds is None else parse_bounds(bounds)
    options = MapOptions(place, time, overlap, 3 if zarr_format == 3 else 2, convention)
    with resumable():
        result = predict_pictures(
            pictures,
            model,
            out,
            engine=engine,
            batch_size=batch_size,
            shard_size=shard_size,
            cluster=cluster,
            outputs=parse_outputs(write),
            options=options,
            command=shlex.join(["nephoscope", *sys.argv[1:]]),
            progress=json_lines.write_progress if as_json else terminal.show_progress,
        )
    if as_json:
        json_lines.write_records(result.records(), result.plan.data_format)
        json_lines.write_line("done", out=out, readable_count=result.readable_count, problem_count=result.problem_count)
    else:
        terminal.show_records(result.records(), result.plan.data_format)
        typer.echo(f"{out}/: {_count(result.readable_count)}")
    _exit_if_skipped(out, result.problem_count, result.incomplete_outputs)


def _exit_if_skipped(out: str | Path, problem_count: int, incomplete_outputs: Sequence[str] = ()) -> None:
    if problem_count:
        typer.echo(f"{out}/problems.csv: {_count(problem_count)} skipped", err=True)
    for output in incomplete_outputs:
        typer.echo(f"{out}/{output}: files of some images are left out, see the messages above", err=True)
    if problem_count or incomplete_outputs:
        raise typer.Exit(SKIPPED)


@app.command(cls=Command)
def info(
    file: Annotated[
        Path | None, typer.Argument(help="A file or folder that nephoscope wrote", show_default="versions and model")
    ] = None,
    model: Model = SHIPPED,
    as_json: AsJson = False,
) -> None:
    """Show how a file was made; without a file, versions, hardware, the model and its engines (for a bug report).

    A file or folder is a map (NetCDF, Zarr, GeoTIFF, GeoJSON), a COCO file, a table or image in a folder of results,
    or a portable model.

        nephoscope info --json

        nephoscope info predicted/netcdf/picture.jpg.nc
    """
    from nephoscope.cli.info import describe, describe_file, show_description
    from nephoscope.cli.json_lines import write_line

    description = describe(model) if file is None else describe_file(file)
    if as_json:
        write_line("info", **description)
    else:
        show_description(description)


@app.command(cls=Command)
def report(
    run: Annotated[Path, typer.Argument(help="Artifacts folder of a finished run")] = ARTIFACTS,
    show: Annotated[bool, typer.Option(help="Open the report in the browser")] = True,
    as_json: AsJson = False,
) -> None:
    """Open the report of a finished run: Dice with intervals, curves, images, settings.

    A missing report is made first, with the `params.yaml` beside the artifacts folder.

        nephoscope report artifacts --no-show
    """
    from nephoscope.report.open import open_report

    page = open_report(run, show=show and not as_json)
    if as_json:
        from nephoscope.cli.json_lines import write_line

        write_line("report", page=str(page))
    else:
        typer.echo(page)


@app.command(cls=Command, no_args_is_help=True)
def explain(
    pictures: Pictures,
    model: Model = SHIPPED,
    out: Annotated[Path, typer.Option(help="Folder for the heat maps")] = Path("explained"),
    class_name: Annotated[list[str] | None, typer.Option(help="Only this class; may be repeated")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw heat maps of where the classifier sees each class (Grad-CAM).

    Writes `<image_id>_<class_name>.jpg` (bright pixels speak for the class), `summary.csv` (with the classifier's
    probability of the class) and `problems.csv` (images that were skipped, and why).

    Run the same command again to resume an interrupted run.

        nephoscope explain pictures --class-name Fish --out explained
    """
    from nephoscope.batch.heat_maps import explain_pictures
    from nephoscope.cli import json_lines, terminal

    progress = json_lines.write_progress if as_json else partial(terminal.show_progress, doing="explain")
    with resumable():
        readable_count, problem_count = explain_pictures(pictures, model, out, class_name or (), progress=progress)
    if as_json:
        json_lines.write_heat_maps(pictures, out, class_name or ())
        json_lines.write_line("done", out=str(out), readable_count=readable_count, problem_count=problem_count)
    else:
        typer.echo(f"{out}/summary.csv: {_count(readable_count)}")
    _exit_if_skipped(out, problem_count)


app.command(cls=Command)(serve)
app.command(cls=Command, no_args_is_help=True)(fetch)
app.command(cls=Command, no_args_is_help=True)(grid)


def _count(images: int) -> str:
    return f"{images} image{'' if images == 1 else 's'}"


class _StderrHandler(logging.Handler):
    """Prints messages of the library. It looks up sys.stderr each time, because a progress bar replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"nephoscope: {printable(self.format(record))}", err=True)


def main() -> None:
    """Run a command; errors that the user can fix end with their message and exit code 2."""
    library = logging.getLogger("nephoscope")
    library.addHandler(_StderrHandler())
    library.setLevel(logging.INFO)
    try:
        app()
    except Exception as error:
        known = as_user_error(error)
        if known is None:
            sys.excepthook(*sys.exc_info())
            raise SystemExit(SOFTWARE_ERROR) from None
        typer.echo(f"nephoscope: {printable(str(known))}", err=True)
        raise SystemExit(USER_ERROR) from None
