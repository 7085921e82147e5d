"""Figures of a tuning have a panel per class, with the chosen rule, the optimum and the plateau."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from nephoscope.figures.svg import to_svg
from nephoscope.figures.tuning import draw_presence, draw_surfaces, edges, outline

THRESHOLDS = pd.DataFrame(
    [
        ("Fish", "presence_threshold", 0.25, 0.5),
        ("Fish", "pixel_threshold", 51, 102),
        ("Fish", "min_area", 1000, 2000),
        ("Sugar", "presence_threshold", 2.0, 2.0),
        ("Sugar", "pixel_threshold", 51, 51),
        ("Sugar", "min_area", 0, 0),
    ],
    columns=["class_name", "part", "chosen", "best"],
)
BEST = {"Fish": 0.6, "Sugar": 0.9}
PRESENCE = pd.DataFrame(
    [(name, x, dice, dice - 0.1, dice + 0.1) for name in BEST for x, dice in ((0, 0.4), (0.5, 0.6), (1, 0.2))],
    columns=["class_name", "presence_threshold", "dice", "low", "high"],
)


def surface(areas: tuple[int, ...] = (0, 1000, 2000)) -> pd.DataFrame:
    rows = [
        (name, level, area, BEST[name] - abs(level - 102) / 1000, level == 102)
        for name in BEST
        for level in (51, 102, 153)
        for area in areas
    ]
    return pd.DataFrame(rows, columns=["class_name", "pixel_threshold", "min_area", "dice", "within_noise"])


def marks(axes: Axes) -> dict[str, tuple[float, float]]:
    """Marker → its position; entries of the legend have none."""
    points = [(str(line.get_marker()), *line.get_xydata()[0]) for line in axes.lines if len(line.get_xydata()) == 1]
    return {mark: (float(x), float(y)) for mark, x, y in points if not np.isnan(x)}


def test_the_chosen_rule_is_a_dot_and_the_optimum_a_cross() -> None:
    fish, _, *_ = draw_surfaces(surface(), THRESHOLDS, BEST).axes
    assert marks(fish) == {"x": (0.4, 2000.0), "o": (0.2, 1000.0)}


def test_a_class_that_is_never_shown_has_no_marks() -> None:
    fish, sugar, *_ = draw_surfaces(surface(), THRESHOLDS, BEST).axes
    assert (fish.get_title("left"), fish.get_title("right")) == ("Fish", "best 0.600")
    assert (sugar.get_title("left"), sugar.get_title("right")) == ("Sugar", "never shown")
    assert not marks(sugar)


def test_colours_show_the_difference_to_the_best_of_the_class() -> None:
    figure = draw_surfaces(surface(), THRESHOLDS, BEST)
    for axes in figure.axes[:2]:
        np.testing.assert_allclose(axes.collections[0].get_array(), [[-0.051, 0, -0.051]] * 3)
    assert figure.axes[-1].get_xlabel() == "Dice behind the best of the class"


def test_areas_are_written_in_thousands_and_never_negative() -> None:
    figure = draw_surfaces(surface(), THRESHOLDS, BEST)
    text = figure.axes[0].yaxis.get_major_formatter()
    assert [text(area, 0) for area in (-1000, 0, 500, 12500)] == ["", "0", "500", "12.5k"]


def test_the_border_of_the_plateau_follows_its_cells() -> None:
    within = np.array([[False, True, True], [False, False, False]])
    x, y = outline(within, np.array([0.0, 1, 2, 3]), np.array([0.0, 10, 20]))
    assert set(zip(x[~np.isnan(x)], y[~np.isnan(y)], strict=True)) == {
        (1, 0),
        (2, 0),
        (3, 0),
        (1, 10),
        (2, 10),
        (3, 10),
    }
    assert np.isnan(x).sum() == 6, "two vertical pieces and four horizontal ones"


def test_an_empty_plateau_has_no_border() -> None:
    x, y = outline(np.zeros((2, 2), bool), np.arange(3.0), np.arange(3.0))
    assert (len(x), len(y)) == (0, 0)


def test_cell_edges_lie_halfway_between_values() -> None:
    assert edges(np.array([0, 10, 30])).tolist() == [-5, 5, 20, 40]
    assert edges(np.array([0])).tolist() == [-0.5, 0.5]


def test_one_area_and_one_class_are_enough() -> None:
    no_area = THRESHOLDS.replace({"chosen": {1000: 0}, "best": {2000: 0}})
    figure = draw_surfaces(surface(areas=(0,)), no_area, {"Fish": 0.6})
    assert len(figure.axes) == 2  # panel and colour bar
    assert figure.axes[0].get_yticks().tolist() == [0]
    assert 'aria-label="surface"' in to_svg(figure, "surface", "surface")


def test_a_surface_is_a_small_raster_image() -> None:
    fine = pd.DataFrame(
        [
            (name, level, area, 0.5, True)
            for name in BEST
            for level in range(1, 256, 5)
            for area in range(0, 31000, 1000)
        ],
        columns=surface().columns,
    )
    svg = to_svg(draw_surfaces(fine, THRESHOLDS, BEST), "surface", "")
    assert len(svg) < 150_000
    assert set(re.findall(r'href="([^#,]+)', svg)) == {"data:image/png;base64"}
    assert "xlink" not in svg


@pytest.mark.parametrize(
    ("chosen", "remark", "dots"),
    [(0.25, "from 0.250", {"o": (0.25, 0.5)}), (0.0, "every image", {"o": (0.0, 0.4)}), (2.0, "never shown", {})],
)
def test_a_dot_marks_the_chosen_presence_threshold(
    chosen: float, remark: str, dots: dict[str, tuple[float, float]]
) -> None:
    thresholds = THRESHOLDS.assign(chosen=THRESHOLDS["chosen"].mask(THRESHOLDS["part"] == "presence_threshold", chosen))
    fish, _ = draw_presence(PRESENCE, thresholds, list(BEST)).axes
    assert marks(fish) == dots
    assert fish.get_title("right") == remark


def test_the_band_is_the_interval() -> None:
    fish, _ = draw_presence(PRESENCE, THRESHOLDS, list(BEST)).axes
    (band,) = fish.collections
    corners = {tuple(np.round(corner, 3)) for corner in band.get_paths()[0].vertices.tolist()}
    assert {(0.0, 0.3), (0.0, 0.5), (0.5, 0.5), (0.5, 0.7), (1.0, 0.1), (1.0, 0.3)} <= corners
