"""Numbers as people read them, and marks on images."""

import numpy as np

from nephoscope.figures.overlays import STRIPES, draw_overlay
from nephoscope.figures.tables import level_cell, to_cell
from nephoscope.figures.tuning import edges


def test_shares_are_percentages() -> None:
    assert to_cell(0.256, "visible_share").text == "25.6\N{NO-BREAK SPACE}%"
    assert to_cell(0.256, "dice").text == "0.256"


def test_a_level_is_shown_as_its_probability() -> None:
    assert level_cell(51).text == "0.200"
    assert level_cell(255).text == "1.000"


def test_stripes_lie_where_nothing_was_seen_and_nowhere_else() -> None:
    image, visible = np.full((40, 60, 3), 50, np.uint8), np.ones((40, 60), bool)
    visible[:, 30:] = False
    drawn = draw_overlay(image, np.zeros((1, 40, 60), bool), visible)
    striped = (drawn == STRIPES).all(axis=2)
    assert not striped[visible].any()
    assert 0.2 < striped[~visible].mean() < 0.3
    assert (drawn[~striped] == 50).all()


def test_cells_of_a_surface_reach_halfway_to_their_neighbours() -> None:
    assert edges(np.array([1, 2, 6])).tolist() == [0.5, 1.5, 4, 8]
