"""The plan of windows: where they lie, what they weigh, and which scenes are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.windows.fields import make_field
from nephoscope.earth.windows.plan import Plan, plan_windows
from nephoscope.errors import UserError

GROUND, OUTPUT = (14.0, 21.0), (350, 525)


def plan_of(bounds: Bounds, pixels_per_degree: float = 100, overlap: float = 0.5) -> Plan:
    west, south, east, north = bounds
    shape = round((north - south) * pixels_per_degree), round((east - west) * pixels_per_degree)
    return plan_windows(Grid.from_bounds(bounds, shape), GROUND, OUTPUT, overlap)


def test_a_picture_is_one_window_at_the_output_shape() -> None:
    plan = plan_of((-61, 10, -40, 24))
    assert plan.is_single
    assert plan.shape == (350, 525)
    assert plan.grid.longitude[:2].tolist() == [-60.98, -60.94]
    assert plan.grid.latitude[:2].tolist() == [23.98, 23.94]
    assert plan.rows.source_pieces(0) == (1400, [(slice(0, 1400), slice(0, 1400))])


@pytest.mark.parametrize(("height", "single"), [(14.28, True), (13.72, True), (14.3, False), (13.7, False)])
def test_two_per_cent_more_or_less_are_one_window(height: float, single: bool) -> None:
    plan = plan_of((0, 0, 21, height))
    assert (plan.rows.size == 350) == single
    assert (plan.window_share == 1) == (height >= 13.72)


def test_larger_scenes_have_cells_of_the_same_size() -> None:
    plan = plan_of((170, -14, 254, 42), 100)
    assert plan.shape == (1400, 2100)
    assert plan.columns.starts == (0, 262, 524, 786, 1048, 1310, 1572, 1575)
    assert plan.grid.cell_size == pytest.approx((0.04, 0.04))


def test_a_small_scene_lies_in_the_middle_of_its_window() -> None:
    plan = plan_of((0, 0, 21, 7), 100)
    assert plan.rows.starts == (-87,)
    assert plan.rows.source_pieces(0) == (1400, [(slice(348, 1048), slice(0, 700))])
    assert plan.rows.pieces(0) == [(slice(87, 262), slice(0, 175))]
    assert plan.window_share == 0.5


def test_a_scene_of_the_whole_earth_goes_around() -> None:
    plan = plan_of((-180, -30, 180, 30), 4)
    assert plan.columns.wraps
    assert not plan.rows.wraps
    covered = np.zeros(plan.columns.size)
    for index in range(len(plan.columns.starts)):
        for _, cells in plan.columns.pieces(index):
            covered[cells] += 1
    assert set(covered) == {2, 3}
    weights = plan.columns.weights
    assert np.abs(np.diff(weights, axis=0, append=weights[:1])).max() < 0.01  # smooth across the antimeridian, too


@given(st.floats(14.3, 90), st.floats(0, 0.9), st.sampled_from([3, 10, 33.3, 100]), st.floats(-30, 0))
def test_windows_cover_the_scene_and_overlap_enough(height: float, overlap: float, pixels: float, south: float) -> None:
    axis = plan_of((0, south, 21, south + height), pixels, overlap).rows
    steps = np.diff(axis.starts)
    assert axis.starts[0] == 0
    assert axis.starts[-1] + axis.window == axis.size
    assert (steps > 0).all()
    assert (steps <= max(1, axis.window * (1 - overlap))).all()
    assert (axis.weights.sum(axis=1) > 0).all()
    for index in range(len(axis.starts)):
        length, ((inside, outside),) = axis.source_pieces(index)
        assert (inside.start, inside.stop) == (0, length)
        assert 0 <= outside.start < outside.stop <= axis.source_size
        assert abs(length - axis.window * axis.source_size / axis.size) <= 1


def test_windows_that_overlap_by_half_add_up_to_one() -> None:
    weights = plan_of((0, 0, 21, 42)).rows.weights
    assert weights[175:-175].sum(axis=1) == pytest.approx(1)


def test_windows_poleward_of_60_degrees_are_left_out() -> None:
    plan = plan_of((0, 40, 21, 82))
    assert [plan.is_poleward(row) for row in range(5)] == [True, True, False, False, False]
    assert list(plan.windows_of(0)) == []
    assert list(plan.windows_of(4)) == [(4, 0)]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            (0, 60, 21, 74),
            r"the scene lies poleward of 60° \(latitude 60 to 74\), where nothing is predicted",
        ),
        ((0, -80, 21, -60), "poleward of 60°"),
        ((0, 0, 400, 14), "400° wide; expected at most 360°"),
        ((0, 0, 1, 1), r"covers 1°×1° \(height × width\), 0\.3% of the 14°×21° that the networks look at"),
        ((0, 0, 0.05, 14), "1400×5 pixels; a side needs at least 8"),
    ],
)
def test_scenes_that_cannot_be_predicted_are_refused(bounds: Bounds, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_of(bounds)


def test_other_grids_and_overlaps_are_refused() -> None:
    utm = Grid.from_bounds((100_000, 2_600_000, 340_000, 2_830_000), (700, 700), "EPSG:32618")
    with pytest.raises(UserError, match=r"EPSG:32618\) is not longitude and latitude, north up; reproject"):
        plan_windows(utm, GROUND, OUTPUT)
    with pytest.raises(UserError, match=r"overlap 1\.0; expected 0 to 0\.9"):
        plan_of((0, 0, 21, 14), overlap=1.0)


def test_a_field_is_the_weighted_mean_of_the_windows_that_speak() -> None:
    plan = plan_of((0, 0, 42, 28), 10)
    values = np.random.default_rng(0).random((2, 3, 4))  # columns start at 0, 262, 524 and 525
    values[:, 1, 2] = np.nan
    field = make_field(values, plan)
    array = np.asarray(field)
    assert array.shape == field.shape == (2, *plan.shape)
    assert array.dtype == field.dtype
    rows, columns = plan.rows.weights, plan.columns.weights
    for y, x in ((0, 0), (200, 300), (349, 1049), (340, 800)):
        weights = np.outer(rows[y], columns[x]) * np.isfinite(values[0])
        expected = (np.nan_to_num(values[1]) * weights).sum() / weights.sum()
        assert array[1, y, x] == pytest.approx(expected, rel=1e-6)
    assert array[0, 0, 0] == np.float32(values[0, 0, 0])


def test_a_field_is_indexed_like_an_array() -> None:
    field = make_field(np.random.default_rng(0).random((3, 3, 4)), plan_of((0, 0, 42, 28), 10))
    array = np.asarray(field)
    for key in (0, (slice(None), slice(5, 9)), (Ellipsis, 7), (1, 2, 3), (-1, slice(None, None, 50)), (2, ..., -1)):
        assert (field[key] == array[key]).all()
        assert np.shape(field[key]) == np.shape(array[key])
    assert len(field) == 3
    with pytest.raises(IndexError, match="integers and slices"):
        field[[0, 1]]
    with pytest.raises(ValueError, match="without a copy"):
        np.array(field, copy=False)


def test_a_field_is_missing_where_no_window_speaks() -> None:
    values = np.full((1, 3, 4), np.nan)
    values[0, 0, 0] = 0.5
    array = np.asarray(make_field(values, plan_of((0, 0, 42, 28), 10)))[0]
    assert (array[:350, :525] == 0.5).all()
    assert np.isnan(array[350:]).all()
    assert np.isnan(array[:, 525:]).all()
