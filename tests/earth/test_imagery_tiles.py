"""Boxes, tiles, days and names of pictures to fetch."""

import re
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box, unary_union

from nephoscope.earth.imagery.services import SATELLITES, choose_satellites, choose_service
from nephoscope.earth.imagery.tiles import Picture, cut_box, list_days, list_pictures
from nephoscope.earth.reading.names import bounds_in_name, find_sensor, time_in_name
from nephoscope.errors import UserError

CROWD = re.compile(r"(\d{8})_(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)$")
NEW_YEAR = date(2020, 1, 1)


def test_one_box_of_the_training_data_is_one_picture() -> None:
    assert cut_box((-61, 10, -40, 24)) == [((-61, 10, -40, 24), (1400, 2100))]


@given(st.integers(-180, 150), st.integers(-90, 60), st.integers(1, 200), st.integers(1, 60))
def test_tiles_cover_the_box_and_nothing_else(west: int, south: int, width: int, height: int) -> None:
    north = min(90, south + height)
    tiles = cut_box((west, south, west + width, north))
    covered = unary_union([box(*bounds) for bounds, _ in tiles])
    parts = [box(west, south, min(180, west + width), north)]
    if west + width > 180:
        parts.append(box(-180, south, west + width - 360, north))
    assert covered.symmetric_difference(unary_union(parts)).area < 1e-6
    for (left, bottom, right, top), shape in tiles:
        assert right - left <= 21
        assert top - bottom <= 14
        assert shape == (round(100 * (top - bottom)), round(100 * (right - left)))


def test_large_boxes_are_cut_into_tiles_of_full_size_from_north_to_south() -> None:
    bounds = [bounds for bounds, _ in cut_box((0, 0, 50, 20))]
    assert bounds == [(west, south, west + 21, south + 14) for south in (6, 0) for west in (0, 21, 29)]


def test_a_box_across_the_antimeridian_is_cut_there() -> None:
    assert [bounds for bounds, _ in cut_box((170, 0, -175, 10))] == [(170, 0, 180, 10), (-180, 0, -175, 10)]
    assert cut_box((170, 0, 185, 10)) == cut_box((170, 0, -175, 10))
    assert cut_box((180, 0, 190, 10)) == cut_box((-180, 0, -170, 10))


@pytest.mark.parametrize(
    ("bounds", "tile", "grain", "message"),
    [
        ((0, 0, 10, 100), (21, 14), 0.01, "expected −90 ≤ south < north ≤ 90"),
        ((0, 10, 10, 0), (21, 14), 0.01, "expected −90 ≤ south < north ≤ 90"),
        ((0, 0, 361, 10), (21, 14), 0.01, "at most 360° wide"),
        ((10, 0, 10, 10), (21, 14), 0.01, "with west different from east"),
        ((float("nan"), 0, 10, 10), (21, 14), 0.01, "expected four numbers"),
        ((0, 0, 10, 10), (83, 14), 0.01, "8300×1400 pixels"),
        ((0, 0, 10, 10), (21, 14), 0.0, "a grain of 0.0°"),
        ((0, 0, 10, 0.05), (21, 14), 0.01, "5×1000 pixels"),
    ],
)
def test_boxes_that_cannot_be_requested_are_refused(
    bounds: tuple[float, float, float, float], tile: tuple[float, float], grain: float, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        cut_box(bounds, tile, grain)


def test_a_tile_of_the_services_largest_size_is_allowed() -> None:
    assert cut_box((0, 0, 82, 82), (82, 82)) == [((0, 0, 82, 82), (8200, 8200))]


def test_names_follow_the_crowds_pattern_and_have_decimals_where_needed() -> None:
    (aqua,) = choose_satellites(["aqua"])
    whole = Picture(aqua, date(2007, 12, 27), (-61, 10, -40, 24), (1400, 2100))
    match = CROWD.search(whole.stem)
    assert match
    assert match.groups() == ("20071227", "-61", "-40", "10", "24")
    assert (bounds_in_name(whole.stem), time_in_name(whole.stem)) == (whole.bounds, np.datetime64("2007-12-27"))
    part = Picture(aqua, date(2007, 12, 27), (-60.5, -10.25, -39.5, 3.75), (1400, 2100))
    assert part.stem == "Aqua_CorrectedReflectance20071227_-60.5--39.5_-10.25-3.75"
    assert bounds_in_name(f"{part.stem}.jpeg") == part.bounds


@pytest.mark.parametrize("name", SATELLITES)
def test_predict_reads_the_sensor_from_the_name(name: str) -> None:
    (satellite,) = choose_satellites([name])
    assert find_sensor(Picture(satellite, NEW_YEAR, (0, 0, 21, 14), (1400, 2100)).stem) == satellite.sensor


def test_days_and_satellites_before_a_launch() -> None:
    days = list_days(date(2017, 11, 17), date(2017, 11, 18))
    tiles = cut_box((0, 0, 21, 14))
    pictures = list(list_pictures(choose_satellites(["terra", "noaa20"]), days, tiles))
    assert [(picture.day.day, picture.satellite.file_prefix) for picture in pictures] == [
        (17, "Terra"), (18, "Terra"), (18, "NOAA20"),
    ]  # fmt: skip
    with pytest.raises(UserError, match="VIIRS NOAA-21 on 2022-11-10; choose another satellite"):
        list(list_pictures(choose_satellites(["noaa21"]), days, tiles))


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown satellite 'goes'; choose any of aqua, terra, snpp, noaa20, noaa21"):
        choose_satellites(["goes"])
    with pytest.raises(UserError, match="no satellite"):
        choose_satellites([])
    with pytest.raises(UserError, match="choose one of snapshots, gibs"):
        choose_service("worldview")
    for address in ("file:///etc/passwd", "example.org", "http://"):
        with pytest.raises(UserError, match=r"expected http://… or https://…"):
            choose_service("gibs", address)


def test_a_mirror_may_have_parameters_of_its_own() -> None:
    url = choose_service("gibs", "https://mirror.example/wms?key=1").url("L", NEW_YEAR, (1.5, 2, 3, 4), (10, 20))
    assert url.startswith("https://mirror.example/wms?key=1&SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&STYLES=&")
    assert url.endswith("BBOX=2,1.5,4,3&CRS=EPSG:4326&LAYERS=L&FORMAT=image/jpeg&WIDTH=20&HEIGHT=10&TIME=2020-01-01")
