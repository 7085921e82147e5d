"""The command `nephoscope grid`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from nephoscope.cli.options import AsJson


def grid(
    maps: Annotated[
        list[str],
        typer.Argument(metavar="MAPS...", help="NetCDF files, Zarr stores, folders, patterns; or a table of boxes"),
    ],
    out: Annotated[Path, typer.Option(help="NetCDF file for the result")] = Path("occurrence.nc"),
    cell: Annotated[float, typer.Option(help="Size of a cell in degrees")] = 2.5,
    by: Annotated[
        str, typer.Option(help="Period: month, season, year, month_of_year, season_of_year, hour or all")
    ] = "month",
    quantity: Annotated[
        Literal["masks", "presence"], typer.Option("--from", help="What is averaged: masks or calibrated presence")
    ] = "masks",
    least_seen: Annotated[
        float, typer.Option(help="A day counts in a cell if at least this share of its sea was seen")
    ] = 0.5,
    plot: Annotated[bool, typer.Option("--plot", help="Draw a map and a time series, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Count how often each pattern occurs, per cell and period, with 95 % intervals.

    Reads what `nephoscope predict --write netcdf` or `zarr` wrote, one map at a time, so years fit into memory.

    Intervals count days as cases, not pixels. Cells that no day saw well enough are missing, not zero.

    **Exit codes**: 0 success, 2 an error that you can fix, 70 a bug in nephoscope.

        nephoscope grid predicted/netcdf --cell 2.5 --by month --out occurrence.nc
    """
    from nephoscope.batch.occurrence.dataset import grid_occurrence
    from nephoscope.cli import json_lines, terminal

    command = (
        f"nephoscope grid {' '.join(maps)} --cell {cell:g} --by {by} --from {quantity} --least-seen {least_seen:g}"
    )
    progress = json_lines.write_progress if as_json else partial(terminal.show_progress, doing="grid", unit="maps")
    dataset = grid_occurrence(
        maps, out, cell=cell, by=by, quantity=quantity, least_seen=least_seen, command=command, progress=progress
    )
    written = [out]
    if plot:
        from nephoscope.batch.occurrence.plots import write_plots

        written += write_plots(dataset, out)
    counts = {"period_count": dataset.sizes["time"], "cell_count": int((dataset["days"].sum("time") > 0).sum())}
    if as_json:
        json_lines.write_line("done", files=[str(path) for path in written], **counts)
    else:
        typer.echo(f"{', '.join(map(str, written))}: {counts['cell_count']} cells, {counts['period_count']} periods")
