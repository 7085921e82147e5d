"""Grids keep their area when they are resized; axes go on across the antimeridian; half-seen pixels are unseen."""

import numpy as np
import pytest

from nephoscope.earth.grid import GEOGRAPHIC, Grid
from nephoscope.earth.reading.axes import regular_axis
from nephoscope.earth.reading.reprojection import reproject


def test_a_resized_grid_covers_the_same_area() -> None:
    grid = Grid.from_bounds((0, 0, 20, 10), (10, 40)).resized((5, 10))
    assert grid.bounds == (0, 0, 20, 10)
    assert grid.cell_size == (2, 2)
    assert grid.latitude.tolist() == [9, 7, 5, 3, 1]
    assert grid.longitude[:2].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("centres", "edge", "step"),
    [
        ([178.5, 179.5, -179.5, -178.5], 178.0, 1.0),
        ([-178.5, -179.5, 179.5, 178.5], -178.0, -1.0),
        ([358.5, 359.5, 0.5, 1.5], 358.0, 1.0),
        ([1.5, 0.5, 359.5, 358.5], 2.0, -1.0),
    ],
)
def test_longitudes_go_on_where_they_jump(centres: list[float], edge: float, step: float) -> None:
    assert regular_axis(np.array(centres), "longitude", "array", around=True) == (edge, step)


@pytest.mark.parametrize(("shift", "last_seen"), [(0.25, 3), (0.75, 2)])
def test_a_reprojected_pixel_is_seen_if_most_of_what_it_shows_was(shift: float, last_seen: int) -> None:
    """Columns 4 to 7 were not seen. A pixel whose centre lies beyond their border shows mostly them."""
    image, seen = np.full((8, 8, 3), 100, np.uint8), np.ones((8, 8), bool)
    image[:, 4:], seen[:, 4:] = 0, False
    source = Grid(GEOGRAPHIC, (1.0, 0.0, 0.0, 0.0, -1.0, 8.0), (8, 8))
    target = Grid(GEOGRAPHIC, (1.0, 0.0, shift, 0.0, -1.0, 8.0), (8, 8))
    colours, visible = reproject(image, seen, source, target)
    assert (visible == (np.arange(8) <= last_seen)).all()
    assert (colours[visible] == 100).all()
