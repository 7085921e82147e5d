"""Scenes with larger pixels, and overviews."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.earth.windows import reduce
from nephoscope.earth.windows.reduce import ReducedScene, limit_resolution, read_overview
from tests.builders.scenes import ArrayScene, draw_clouds

BOUNDS = (0, 0, 21, 14)


def test_a_reduced_pixel_is_the_mean_of_its_part() -> None:
    image = draw_clouds(14, 21)  # 56×84
    scene = ReducedScene(ArrayScene(image, BOUNDS), (14, 21))
    pixels, seen = scene.read(slice(2, 10), slice(3, 20))
    means = image.reshape(14, 4, 21, 4, 3).mean(axis=(1, 3))[2:10, 3:20]
    assert np.abs(pixels - means).max() <= 0.5 + 1e-6
    assert seen.all()
    assert scene.place.grid.bounds == BOUNDS


def test_unseen_pixels_do_not_darken_a_mean() -> None:
    image = np.full((56, 84, 3), 200, np.uint8)
    seen = np.zeros((56, 84), bool)
    seen[:30] = True  # half of the eighth row of reduced pixels
    pixels, reduced = ReducedScene(ArrayScene(image, BOUNDS, seen), (14, 21)).read(slice(0, 14), slice(0, 21))
    assert reduced[:8].all()
    assert not reduced[8:].any()
    assert np.abs(pixels[:8].astype(int) - 200).max() <= 1
    assert not pixels[8:].any()


@given(st.integers(8, 60), st.integers(8, 60), st.integers(0, 50))
def test_parts_are_parts_of_the_whole(height: int, width: int, seed: int) -> None:
    """Whatever the ratio of pixels, a row is read from the same pixels in every part."""
    rng = np.random.default_rng(seed)
    scene = ArrayScene(rng.integers(1, 255, (97, 131, 3), np.uint8), (0, 0, 30, 20))
    small = ReducedScene(scene, (height, width))
    row, column = int(rng.integers(0, height)), int(rng.integers(0, width))
    part, _ = small.read(slice(row, row + 1), slice(column, column + 1))
    assert part.shape == (1, 1, 3)
    used = scene.reads[-1]
    for pixels, index, size, whole in ((used[0], row, height, 97), (used[1], column, width, 131)):
        assert abs(pixels.start - index * whole / size) <= 0.5
        assert abs(pixels.stop - (index + 1) * whole / size) <= 0.5


def test_a_reduced_scene_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    image = draw_clouds(14, 21)
    whole, _ = ReducedScene(ArrayScene(image, BOUNDS), (14, 21)).read(slice(0, 14), slice(0, 21))
    monkeypatch.setattr(reduce, "MOST_PIXELS", 84 * 4 * 3)
    scene = ArrayScene(image, BOUNDS)
    pixels, _ = ReducedScene(scene, (14, 21)).read(slice(0, 14), slice(0, 21))
    assert (pixels == whole).all()
    assert [rows.stop - rows.start for rows, _ in scene.reads] == [12, 12, 12, 12, 8]


def test_only_much_finer_scenes_are_reduced() -> None:
    image = draw_clouds(14, 21)
    scene = ArrayScene(image, BOUNDS)
    assert limit_resolution(scene, (14, 21), (14, 21)) is scene
    assert limit_resolution(scene, (14, 21), (13, 20)).place.grid.shape == (28, 42)
    assert limit_resolution(scene, (14, 21), (3, 20)).place.grid.shape == (11, 42)


@pytest.mark.parametrize("shape", [(14, 21), (56, 84), (112, 168), (20, 100)])
def test_an_overview_has_any_shape(shape: tuple[int, int]) -> None:
    image = draw_clouds(14, 21)
    overview = read_overview(ArrayScene(image, BOUNDS), shape)
    assert overview.shape == (*shape, 3)
    assert np.abs(overview.mean() - image.mean()) < 2
