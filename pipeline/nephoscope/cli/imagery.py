"""The command `nephoscope fetch`."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nephoscope.cli.interrupts import resumable
from nephoscope.cli.options import SKIPPED, AsJson
from nephoscope.errors import UserError

if TYPE_CHECKING:
    from nephoscope.earth.imagery.fetch import Fetched


def fetch(
    bounds: Annotated[
        str, typer.Option(metavar="W,S,E,N", help="Box in degrees: west, south, east, north, such as -61,10,-40,24")
    ],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First day")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last day")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures")] = Path("pictures"),
    satellite: Annotated[
        str, typer.Option(help="Satellites, separated by commas: aqua, terra (MODIS), snpp, noaa20, noaa21 (VIIRS)")
    ] = "aqua,terra",
    service: Annotated[str, typer.Option(help="snapshots (Worldview Snapshots) or gibs (GIBS WMS)")] = "snapshots",
    address: Annotated[
        str | None,
        typer.Option(
            envvar="NEPHOSCOPE_IMAGERY", help="Address of a mirror of the service", show_default="that of NASA"
        ),
    ] = None,
    tile: Annotated[str, typer.Option(metavar="WxH", help="Largest picture, in degrees")] = "21x14",
    grain: Annotated[float, typer.Option(help="Degrees a pixel; the model knows 0.01")] = 0.01,
    parallel: Annotated[int, typer.Option(min=1, max=8, help="Requests at a time")] = 2,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between the starts of two requests")] = 0.5,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer")] = 60,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts for a picture, with growing pauses")] = 5,
    keep_empty: Annotated[bool, typer.Option("--keep-empty", help="Keep pictures in which nothing was seen")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch true-colour pictures from NASA: one JPEG per satellite, day and tile, and a JSON note beside each.

    File names say place and day, so `nephoscope predict` places the pictures on Earth. Large boxes are cut into tiles.

    Run the same command again to resume: it requests only what is missing, failed, or was incomplete on a new day.

    **Exit codes**: 0 success, 1 some pictures failed, 2 an error that you can fix, 70 a bug in nephoscope.

        nephoscope fetch --bounds -61,10,-40,24 --from 2020-01-01 --to 2020-03-31 --out pictures
    """
    from nephoscope.cli import json_lines, terminal
    from nephoscope.earth.imagery.fetch import fetch_pictures
    from nephoscope.earth.imagery.transfer import Limits
    from nephoscope.earth.reading.names import parse_bounds

    with resumable():
        fetched = fetch_pictures(
            parse_bounds(bounds),
            first.date(),
            last.date(),
            out,
            satellites=satellite.split(","),
            service=service,
            address=address,
            tile=_parse_size(tile),
            grain=grain,
            parallel=parallel,
            keep_empty=keep_empty,
            limits=Limits(timeout, attempts, pause),
            progress=json_lines.write_progress if as_json else partial(terminal.show_progress, doing="fetch"),
        )
    if as_json:
        _write_lines(fetched, out)
    else:
        _show(fetched, out)
    if fetched.problems:
        raise typer.Exit(SKIPPED)


def _parse_size(text: str) -> tuple[float, float]:
    try:
        width, height = (float(part) for part in text.lower().split("x"))
    except ValueError:
        raise UserError(f"--tile {text!r}; expected width x height in degrees, such as 21x14") from None
    return width, height


def _show(fetched: "Fetched", out: Path) -> None:
    from nephoscope.cli.terminal import show_problems

    show_problems((outcome.path.name, outcome.problem) for outcome in fetched.problems)
    counts = {"new": "fetched", "there before": "kept", "empty, not kept": "empty", "failed": "failed"}
    shown = (f"{fetched.count(status)} {word}" for word, status in counts.items() if fetched.count(status))  # type: ignore[arg-type]
    typer.echo(f"{out}/: {', '.join(shown)}")


def _write_lines(fetched: "Fetched", out: Path) -> None:
    from nephoscope.cli.json_lines import write_line

    for outcome in fetched.outcomes:
        write_line("picture", file=outcome.path.name, status=outcome.status, problem=outcome.problem)
    counts = {f"{status}_count": fetched.count(status) for status in ("fetched", "kept", "empty", "failed")}
    write_line("done", out=str(out), **counts)
