from pathlib import Path

import numpy as np

from nephoscope.data.images import read_image
from nephoscope.figures.overlays import draw_heat, write_heat

GREY = np.full((4, 6, 3), 128, np.uint8)


def test_without_heat_the_picture_is_as_it_was() -> None:
    assert (draw_heat(GREY, np.zeros((4, 6), np.float32)) == GREY).all()


def test_hotter_is_brighter_and_hides_more() -> None:
    heat = np.zeros((4, 6), np.float32)
    heat[0, :3] = (0.3, 0.6, 1.0)
    drawn = draw_heat(GREY, heat)
    assert (drawn[1:] == GREY[1:]).all()
    change = np.abs(drawn[0, :3].astype(int) - 128).sum(1)
    assert change[0] < change[1] < change[2]
    red, green, blue = drawn[0, 2].tolist()
    assert min(red, green) > 128 > blue  # yellow


def test_heat_of_a_coarser_shape_is_spread_over_the_picture() -> None:
    drawn = draw_heat(np.zeros((40, 60, 3), np.uint8), np.eye(2, dtype=np.float32))
    assert drawn[0, 0].sum() == drawn[-1, -1].sum() > drawn[0, -1].sum() == 0


def test_files_are_as_large_as_pictures_of_a_gallery(tmp_path: Path) -> None:
    path = tmp_path / "heat.jpg"
    write_heat(path, GREY + 60, np.zeros((4, 6), np.float32), (350, 525))  # flat 128 is what is left of a damaged JPEG
    assert read_image(path).shape == (258, 387, 3)
