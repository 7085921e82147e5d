"""Dark water with some black pixels was seen; nodata is black as a whole."""

import numpy as np
import pytest

from nephoscope.data.visible import find_visible


@pytest.mark.parametrize(("black_share", "seen"), [(0.02, True), (0.1, True), (0.4, False), (1.0, False)])
def test_a_dark_region_is_nodata_only_if_much_of_it_is_black(black_share: float, seen: bool) -> None:
    rng = np.random.default_rng(0)
    image = np.full((96, 144, 3), 120, np.uint8)
    dark = image[:, :60]
    dark[:] = 10
    dark[rng.random(dark.shape[:2]) < black_share] = 0
    visible = find_visible(image)
    assert visible[:, 60:].all()
    assert (visible[:, :60] == seen).all()
