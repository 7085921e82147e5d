from pathlib import Path

import numpy as np

from nephoscope.data.images import read_image
from nephoscope.figures.overlays import draw_heat, outline_confusion, write_heat

GREY = np.full((4, 6, 3), 128, np.uint8)


def test_zero_heat_changes_nothing() -> None:
    assert (draw_heat(GREY, np.zeros((4, 6), np.float32)) == GREY).all()


def test_more_heat_is_brighter_and_more_opaque() -> None:
    heat = np.zeros((4, 6), np.float32)
    heat[0, :3] = (0.3, 0.6, 1.0)
    drawn = draw_heat(GREY, heat)
    assert (drawn[1:] == GREY[1:]).all()
    change = np.abs(drawn[0, :3].astype(int) - 128).sum(1)
    assert change[0] < change[1] < change[2]
    red, green, blue = drawn[0, 2].tolist()
    assert min(red, green) > 128 > blue  # yellow


def test_coarse_heat_is_resized_to_the_image() -> None:
    drawn = draw_heat(np.zeros((40, 60, 3), np.uint8), np.eye(2, dtype=np.float32))
    assert drawn[0, 0].sum() == drawn[-1, -1].sum() > drawn[0, -1].sum() == 0


def test_heat_maps_have_the_size_of_the_gallery(tmp_path: Path) -> None:
    path = tmp_path / "heat.jpg"
    write_heat(
        path, GREY + 60, np.zeros((4, 6), np.float32), (350, 525)
    )  # read_image rejects a uniform 128 as a damaged JPEG
    assert read_image(path).shape == (258, 387, 3)


def test_every_outcome_has_an_outline() -> None:
    truth, predicted = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
    assert outline_confusion(truth, predicted) == {
        "hit": "M0 0l0 1 1 0 0-1z",
        "miss": "M1 0l0 1 1 0 0-1z",
        "false alarm": "M2 0l0 1 1 0 0-1z",
        "right nothing": "M0 0H4V1H0zM0 0l0 1 3 0 0-1z",
    }


def test_outcomes_that_do_not_occur_have_no_outline() -> None:
    nothing = np.zeros((2, 3), bool)
    assert outline_confusion(nothing, nothing) == {"right nothing": "M0 0H3V2H0z"}
