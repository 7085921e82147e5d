"""`nephoscope grid` on maps in files."""

import json
from pathlib import Path

import xarray as xr

from tests.builders.command_line import run_command
from tests.builders.pattern_maps import draw_masks, write_map


def test_the_command_writes_a_file_and_pictures(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        write_map(tmp_path / f"maps/{day}.nc", f"2020-01-0{day}", draw_masks(day))
    out = tmp_path / "occurrence.nc"
    done = run_command(tmp_path / "maps", "--cell", 5, "--out", out, "--plot", "--json", command="grid")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["done"] for line in lines[:-1]] == [0, 1, 2, 3]
    files = [str(tmp_path / name) for name in ("occurrence.nc", "occurrence-map.png", "occurrence-series.png")]
    assert lines[-1] == {"event": "done", "files": files, "period_count": 1, "cell_count": 4}
    with xr.open_dataset(out) as dataset:
        assert dataset.sizes["latitude"] == dataset.sizes["longitude"] == 2
        assert dataset.attrs["nephoscope_command"].startswith("nephoscope grid ")


def test_errors_that_the_user_can_fix(tmp_path: Path) -> None:
    done = run_command(tmp_path / "nothing", "--out", tmp_path / "occurrence.nc", command="grid")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing: no maps found" in done.stderr
    assert not list(tmp_path.iterdir())
