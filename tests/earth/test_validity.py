"""Flags name every reason, and only where it holds."""

import numpy as np
import pytest

from nephoscope.earth.grid import Bounds
from nephoscope.earth.validity import DOMAINS, FLAGS, find_flags, lacks_context
from tests.builders.earth_results import ATLANTIC, make_place

DOMAIN = DOMAINS["clouds"]
SHAPE = (350, 525)


def flags_of(bounds: Bounds = ATLANTIC, shape: tuple[int, int] = SHAPE, **changes: object) -> np.ndarray:
    nothing = np.zeros(shape, bool)
    return find_flags(make_place(bounds, shape, **changes), ~nothing, nothing, DOMAIN)


def test_images_like_the_training_data_have_no_flag() -> None:
    assert not flags_of().any()
    assert not flags_of((159, 8, 180, 22)).any()
    assert not flags_of((-135, -15, -114, -1), time=np.datetime64("2010-09-01")).any()
    assert not flags_of((225, -15, 246, -1)).any()  # the same region, counted from 0 to 360


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"time": np.datetime64("2010-07-01")}, "outside_seasons"),
        ({"source_cell": 0.04}, "coarse_grain"),
        ({"sensor": "VIIRS SNPP"}, "other_sensor"),
        ({"bounds": (0, 30, 21, 44)}, "outside_regions"),
        ({"bounds": (-61, 10, -51, 20), "shape": (250, 250)}, "little_context"),
    ],
)
def test_every_reason_has_its_flag(changes: dict, meaning: str) -> None:
    assert (flags_of(**changes) == FLAGS[meaning]).all()


def test_unknown_time_and_sensor_set_no_flag() -> None:
    assert not flags_of(time=None, sensor="").any()


def test_seasons_belong_to_their_region() -> None:
    """In October only the southern region was seen."""
    october = np.datetime64("2010-10-01")
    assert (flags_of(time=october) == FLAGS["outside_seasons"]).all()
    assert not flags_of((-135, -15, -114, -1), time=october).any()


def test_a_wide_scene_is_flagged_outside_the_region_only() -> None:
    flags = flags_of((-72, 10, -30, 24), (350, 1050))
    longitude = make_place((-72, 10, -30, 24), (350, 1050)).grid.longitude
    inside = (longitude > -61) & (longitude < -40)
    assert (flags[:, ~inside] == FLAGS["outside_regions"]).all()
    assert not flags[:, inside].any()


def test_land_is_flagged_where_it_lies() -> None:
    nothing = np.zeros(SHAPE, bool)
    land = nothing.copy()
    land[:10, :10] = True
    assert ((find_flags(make_place(shape=SHAPE), ~nothing, land, DOMAIN) == FLAGS["over_land"]) == land).all()


def test_context_is_missing_far_inside_what_was_not_seen() -> None:
    place = make_place((-103, 10, -19, 24), (350, 2100))
    visible = np.zeros((350, 2100), bool)
    visible[:, 1050:] = True
    little = lacks_context(place.grid, visible, DOMAIN)
    assert little[:, :900].all()
    assert not little[:, 1200:].any()
