"""Occurrence per cell and period, against counts in plain numpy and xarray."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from nephoscope.batch.occurrence.count import count_occurrence
from nephoscope.batch.occurrence.dataset import grid_occurrence
from nephoscope.batch.occurrence.plots import write_plots
from nephoscope.data.images import read_image
from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.land import land_at
from nephoscope.earth.writing.c3ontext import write_c3ontext
from nephoscope.earth.writing.zarr_store import write_zarr
from nephoscope.errors import UserError
from tests.builders.conventions import check_cf
from tests.builders.earth_results import CLASSES
from tests.builders.pattern_maps import SEA, draw_masks, write_map

DAYS = [np.datetime64("2020-01-30") + number for number in range(4)]
"""Two days of January, two of February."""


def areas(shape: tuple[int, int] = (40, 40), bounds: Bounds = SEA) -> np.ndarray:
    edges = np.sin(np.radians(np.linspace(bounds[3], bounds[1], shape[0] + 1)))
    return np.repeat(-np.diff(edges)[:, None], shape[1], 1)


def share_per_cell(mask: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """4×4 cells of 10×10 pixels: covered area in proportion to the seen area."""
    blocks = [(weights * areas()).reshape(4, 10, 4, 10).sum((1, 3)) for weights in (mask & seen, seen)]
    return blocks[0] / np.where(blocks[1] > 0, blocks[1], np.nan)


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    for seed, day in enumerate(DAYS):
        write_map(tmp_path / f"maps/{day}.nc", f"{day}T13:30", draw_masks(seed))
    return tmp_path / "maps"


def test_shares_are_the_covered_part_of_cells_averaged_over_days(maps: Path) -> None:
    dataset = grid_occurrence([str(maps)], cell=2.5, by="month")
    assert dataset["time"].to_numpy().astype("datetime64[D]").astype(str).tolist() == ["2020-01-01", "2020-02-01"]
    assert dataset["latitude"].to_numpy().tolist() == [18.75, 16.25, 13.75, 11.25]
    assert dataset["longitude"].to_numpy().tolist() == [-48.75, -46.25, -43.75, -41.25]
    everything = np.ones((40, 40), bool)
    for period in (0, 1):
        for number, name in enumerate(CLASSES):
            shares = [share_per_cell(draw_masks(2 * period + day)[number], everything) for day in (0, 1)]
            found = dataset["occurrence"].isel(time=period).sel(pattern=name)
            np.testing.assert_allclose(found, np.mean(shares, 0), rtol=1e-6)
    assert (dataset["days"] == 2).all()
    assert (
        (dataset["occurrence_low"] < dataset["occurrence"]) & (dataset["occurrence"] < dataset["occurrence_high"])
    ).all()


def test_days_that_saw_too_little_do_not_count_and_unseen_cells_are_missing(tmp_path: Path) -> None:
    visible = np.ones((2, 40, 40), bool)
    visible[0, :, :16] = False  # 40 % of the second column of cells was seen
    visible[1, :, :15] = False  # half of it
    for day in (0, 1):
        write_map(tmp_path / f"{day}.nc", f"2020-01-0{day + 1}", draw_masks(day), visible[day])
    dataset = grid_occurrence([str(tmp_path)])
    assert dataset["days"].to_numpy()[0, 0].tolist() == [0, 1, 2, 2]
    fish = dataset["occurrence"].sel(pattern="Fish").to_numpy()[0]
    assert np.isnan(fish[:, 0]).all()
    second = share_per_cell(draw_masks(1)[0], visible[1])
    np.testing.assert_allclose(fish[:, 1], second[:, 1], rtol=1e-6)
    for name in ("occurrence_low", "occurrence_high"):
        assert np.isnan(dataset[name].to_numpy()[0, :, :, 0]).all()


def test_overpasses_of_a_day_are_averaged_by_what_they_saw(tmp_path: Path) -> None:
    visible = np.ones((40, 40), bool)
    visible[:, :20] = False
    write_map(tmp_path / "terra.nc", "2020-01-01T10:30", draw_masks(0), sensor="MODIS Terra")
    write_map(tmp_path / "aqua.nc", "2020-01-01T13:30", draw_masks(1), visible)
    dataset = grid_occurrence([str(tmp_path)])
    assert (dataset["days"] == 1).all()
    shares = [share_per_cell(draw_masks(seed)[0], np.ones((40, 40), bool)) for seed in (0, 1)]
    expected = np.where(np.arange(4) < 2, shares[0], np.mean(shares, 0))
    np.testing.assert_allclose(dataset["occurrence"].sel(pattern="Fish").to_numpy()[0], expected, rtol=1e-6)


def test_halves_of_a_cell_that_two_overpasses_saw_may_be_the_same_half(tmp_path: Path) -> None:
    visible = np.arange(40) % 10 < 3  # 30 % of every cell, twice
    visible = np.broadcast_to(visible, (40, 40)).copy()
    for hour in (10, 13):
        write_map(tmp_path / f"{hour}.nc", f"2020-01-01T{hour}:30", draw_masks(hour), visible)
    assert (grid_occurrence([str(tmp_path)])["days"] == 0).all()


def test_tiles_of_one_overpass_add_up(tmp_path: Path) -> None:
    """Their border lies within a cell, which neither of them sees well enough alone."""
    whole = draw_masks(3)
    write_map(tmp_path / "whole/a.nc", "2020-01-01", whole)
    write_map(tmp_path / "tiles/west.nc", "2020-01-01", whole[:, :, :15], bounds=(-50, 10, -46.25, 20))
    write_map(tmp_path / "tiles/east.nc", "2020-01-01", whole[:, :, 15:], bounds=(-46.25, 10, -40, 20))
    tiles, expected = (grid_occurrence([str(tmp_path / name)], least_seen=0.9) for name in ("tiles", "whole"))
    xr.testing.assert_allclose(tiles, expected, rtol=1e-6)


def test_pixels_on_the_border_of_cells_count_by_their_area(tmp_path: Path) -> None:
    """7 pixels on 10° do not fit into cells of 2.5°. Refined 20 times, they do."""
    coarse = draw_masks(0, (7, 7))
    write_map(tmp_path / "coarse/a.nc", "2020-01-01", coarse)
    write_map(tmp_path / "fine/a.nc", "2020-01-01", coarse.repeat(20, 1).repeat(20, 2))
    found, expected = (grid_occurrence([str(tmp_path / name)]) for name in ("coarse", "fine"))
    # Within a coarse pixel, area is spread by the sine of latitude in both.
    np.testing.assert_allclose(found["occurrence"], expected["occurrence"], rtol=2e-6)


def test_presence_is_averaged_where_something_was_seen(tmp_path: Path) -> None:
    write_map(tmp_path / "a.nc", "2020-01-01", draw_masks(0), presence=np.array([0.9, 0.5, 0.25, 0.0]))
    write_map(tmp_path / "b.nc", "2020-01-02", draw_masks(0), presence=np.array([0.1, 0.5, 0.75, 0.0]))
    dataset = grid_occurrence([str(tmp_path)], quantity="presence")
    np.testing.assert_allclose(dataset["occurrence"].mean(["latitude", "longitude"]).to_numpy()[0], [0.5, 0.5, 0.5, 0])


def test_land_is_left_out(tmp_path: Path) -> None:
    """Barbados and Venezuela: cells without sea stay missing; the others are shares of their sea, where Fish is not."""
    bounds = (-70.0, 5.0, -50.0, 15.0)
    grid = Grid.from_bounds(bounds, (200, 400))
    masks = np.ones((4, 200, 400), bool)
    masks[0] = land_at(grid.latitude[:, None], grid.longitude[None])
    write_map(tmp_path / "a.nc", "2020-01-01", masks, bounds=bounds)
    dataset = grid_occurrence([str(tmp_path)])
    land = dataset["land_share"].to_numpy()
    fish = dataset["occurrence"].sel(pattern="Fish").to_numpy()[0]
    assert land.max() > 0.99
    assert land.min() == 0
    assert np.isnan(fish[land > 0.91]).all()
    assert (fish[land < 0.89] == 0).all()
    np.testing.assert_allclose(dataset["occurrence"].sel(pattern="Sugar").to_numpy()[0][land < 0.89], 1, rtol=1e-5)


@pytest.mark.parametrize("form", ["zarr", "c3ontext", "ascending", "several"])
def test_other_stores_and_orders_give_the_same_numbers(maps: Path, tmp_path: Path, form: str) -> None:
    expected = grid_occurrence([str(maps)])
    datasets = [xr.open_dataset(path).load() for path in sorted(maps.glob("*.nc"))]
    other = tmp_path / "other"
    other.mkdir()
    if form == "zarr":
        for number, dataset in enumerate(datasets):
            write_zarr(dataset, other / f"{number}.zarr", zarr_format=2 + number % 2)
    elif form == "c3ontext":
        write_c3ontext(datasets, other / "c.zarr")
    else:
        whole = xr.concat([dataset[["mask"]] for dataset in datasets], "time")
        if form == "ascending":
            whole = whole.sortby("latitude").rename(time="date").transpose("pattern", "longitude", "date", "latitude")
        whole.astype("float32").to_netcdf(other / "all.nc")
    found = grid_occurrence([str(other)])
    names = [name for name in found["pattern"].to_numpy() if name != "Unclassified"]
    assert set(names) == set(CLASSES)
    # There, a mask counts with the presence of its pattern.
    weights = xr.DataArray([0.9, 0.5, 0.25, 0.75] if form == "c3ontext" else [1.0] * 4, dims="pattern")
    for variable in ("occurrence", "domain_occurrence"):
        both = (dataset[variable].sel(pattern=list(CLASSES)) for dataset in (found, expected * weights))
        np.testing.assert_allclose(*both, atol=1e-4)


def test_a_domain_across_the_antimeridian_is_one_piece(tmp_path: Path) -> None:
    write_map(tmp_path / "a.nc", "2020-01-01", draw_masks(0), bounds=(170, 8, 180, 18))
    write_map(tmp_path / "b.nc", "2020-01-01", draw_masks(1), bounds=(-180, 8, -170, 18))
    dataset = grid_occurrence([str(tmp_path)], cell=5)
    assert dataset["longitude"].to_numpy().tolist() == [172.5, 177.5, 182.5, 187.5]
    assert (dataset["days"].sel(latitude=12.5) == 1).all()


def test_the_domain_is_averaged_by_area_with_an_interval_of_its_own(maps: Path) -> None:
    dataset = grid_occurrence([str(maps)], by="all")
    whole = [np.average(draw_masks(seed)[0], weights=areas()) for seed in range(4)]
    fish = dataset.sel(pattern="Fish").isel(time=0)
    assert fish["domain_occurrence"].item() == pytest.approx(np.mean(whole), rel=1e-6)
    assert fish["domain_low"] < fish["domain_occurrence"] < fish["domain_high"]
    assert dataset["domain_days"].to_numpy().tolist() == [4]


def test_years_need_the_memory_of_one_map(maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps are read one after another, in bands of bounded size."""
    from nephoscope.batch.occurrence import cells
    from nephoscope.batch.occurrence.maps import MapFile

    expected = grid_occurrence([str(maps)])
    monkeypatch.setattr(cells, "BAND_VALUES", 40 * 4 * 7)
    heights: list[int] = []
    read = MapFile.read

    def spy(self: MapFile, number: int, rows: slice) -> Any:
        heights.append(rows.stop - rows.start)
        return read(self, number, rows)

    monkeypatch.setattr(MapFile, "read", spy)
    xr.testing.assert_allclose(grid_occurrence([str(maps)]), expected, rtol=1e-6)
    assert max(heights) == 7


def test_boxes_equal_a_count_in_numpy(tmp_path: Path) -> None:
    """A table like that of Rasp et al. (2020): unsorted corners, several boxes of a class over each other."""
    rng = np.random.default_rng(0)
    count = 400
    west, south = rng.uniform(-30, 0, count), rng.uniform(-20, 0, count)
    sizes = rng.uniform(1, 9, (2, count))
    # Two boxes in corners make the table reach over whole cells: 40°W to 20°E, 30°S to 20°N.
    west[:2], south[:2], sizes[:, :2] = (-40, 19), (-30, 19), 1
    table = pd.DataFrame(
        {
            "Date": rng.choice(pd.date_range("2017-01-20", "2017-03-10").strftime("%Y-%m-%d"), count),
            "label": rng.choice(CLASSES, count),
            "lon1": west, "lon2": west + sizes[0],
            "lat1": south + sizes[1], "lat2": south,
        }
    )  # fmt: skip
    table.to_csv(tmp_path / "boxes.csv")
    dataset = grid_occurrence([str(tmp_path / "boxes.csv")], by="month")
    latitude, longitude = np.arange(20, -30, -0.25) - 0.125, np.arange(-40, 20, 0.25) + 0.125
    weights = np.sin(np.radians(latitude + 0.125)) - np.sin(np.radians(latitude - 0.125))
    for number, month in enumerate(("01", "02", "03")):
        days = table[table["Date"].str[5:7] == month]
        for name in CLASSES:
            covered = np.zeros((len(latitude), len(longitude)))
            for _, boxes in days.groupby("Date"):
                mask = np.zeros(covered.shape, bool)
                for box in boxes[boxes["label"] == name].itertuples():
                    rows = (latitude <= box.lat1) & (latitude >= box.lat2)
                    mask |= rows[:, None] & ((longitude >= box.lon1) & (longitude <= box.lon2))
                covered += mask
            cells = (covered * weights[:, None]).reshape(20, 10, 24, 10).sum((1, 3))
            expected = cells / (weights.reshape(20, 10).sum(1)[:, None] * 10) / days["Date"].nunique()
            found = dataset["occurrence"].isel(time=number).sel(pattern=name)
            np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("by", ["month", "season_of_year", "hour", "all"])
def test_files_follow_cf(maps: Path, tmp_path: Path, by: str) -> None:
    out = tmp_path / "occurrence.nc"
    grid_occurrence([str(maps)], out, by=by)
    assert check_cf(out) == []


def test_files_say_how_they_were_made_and_are_the_same_each_time(maps: Path, tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        grid_occurrence([str(maps)], tmp_path / name, command="nephoscope grid maps")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        assert dataset.attrs["nephoscope_command"] == "nephoscope grid maps"
        assert dataset.attrs["nephoscope_model"] == "a" * 64
        assert dataset.attrs["nephoscope_sensor"] == "MODIS Aqua"


def test_pictures_are_drawn(maps: Path, tmp_path: Path) -> None:
    out = tmp_path / "occurrence.nc"
    for path in write_plots(grid_occurrence([str(maps)], out), out):
        picture = read_image(path)
        assert picture.shape[1] > 1000
        assert picture.std() > 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": 7}, "cells of 7°; expected 0.01 to 90 that divide 180"),
        ({"cell": float("nan")}, "cells of nan°"),
        ({"by": "week"}, "unknown period 'week'; choose one of month, season, year"),
        ({"least_seen": 0}, "expected more than 0 and at most 1"),
    ],
)
def test_choices_that_make_no_sense_are_refused(maps: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        count_occurrence([str(maps)], **options)


def test_files_that_hold_no_maps_are_refused(maps: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.nc: no maps found; expected NetCDF files"):
        count_occurrence([str(tmp_path / "nothing.nc")])
    (tmp_path / "broken.nc").write_bytes(b"not NetCDF")
    with pytest.raises(UserError, match=r"broken\.nc: cannot be read as NetCDF"):
        count_occurrence([str(tmp_path / "broken.nc")])
    with xr.open_dataset(next(maps.glob("*.nc"))) as dataset:
        other = dataset.load()
    other[["visible"]].to_netcdf(tmp_path / "visible.nc")
    with pytest.raises(UserError, match=r"no variable mask or freq; found visible"):
        count_occurrence([str(tmp_path / "visible.nc")])
    other[["mask"]].isel(time=0, drop=True).astype("float32").to_netcdf(tmp_path / "timeless.nc")
    with pytest.raises(UserError, match=r"missing: time\). Predict images whose place and time are known"):
        count_occurrence([str(tmp_path / "timeless.nc")])
    other[["mask"]].isel(pattern=[0, 1]).astype("float32").to_netcdf(maps / "two.nc")
    with pytest.raises(UserError, match="count them separately"):
        count_occurrence([str(maps)])
    for content, message in (
        ("a,b\n1,2\n", "expected the columns Date, label"),
        ("Date,label,lon1,lon2,lat1,lat2\n", "0 of 0"),
    ):
        (tmp_path / "boxes.csv").write_text(content)
        with pytest.raises(UserError, match=message):
            count_occurrence([str(tmp_path / "boxes.csv")])
