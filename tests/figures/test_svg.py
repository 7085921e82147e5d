"""SVG for pages, and the page of `dvc plots`."""

import json
import re

import numpy as np
import pytest

from nephoscope.figures.colours import class_colours
from nephoscope.figures.dvc_plots import plots_page
from nephoscope.figures.evaluation import Line, draw_curves
from nephoscope.figures.svg import VARIABLES, readable_on_white, to_svg
from tests.builders.curves import CURVES


def test_an_svg_is_reproducible_and_has_only_colours_of_the_page() -> None:
    first, second = (to_svg(draw_curves(CURVES, [Line("Fish", (0.5, 0.8))]), "pr", "") for _ in range(2))
    assert first == second
    assert not re.search(r"#[0-9a-f]{6}\b", first)
    assert set(re.findall(r"var\(--([\w-]+)\)", first)) <= set(VARIABLES.values())
    assert "<style" not in first
    assert "http" not in first


def test_figures_of_a_page_share_no_ids() -> None:
    first, second = (to_svg(draw_curves(CURVES, [Line("Fish")]), name, "") for name in ("first", "second"))
    ids, others = (set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second))
    assert ids
    assert not ids & others
    assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", first)) <= ids


def test_the_description_of_a_figure_is_escaped() -> None:
    assert 'aria-label="&lt;b> &quot;a&quot; &amp; b"' in to_svg(draw_curves(CURVES, []), "x", '<b> "a" & b')


@pytest.mark.parametrize("colour", class_colours(32))
def test_lines_on_white_have_enough_contrast(colour: tuple[int, int, int]) -> None:
    values = [int(readable_on_white(colour)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    assert 1.05 / (np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05) >= 2.95


def test_the_plots_page_works_offline() -> None:
    page = plots_page()
    assert "{plot_divs}" in page
    assert "src=" not in page.split("<body>")[0].replace("srcElement", "")[:400]
    assert json.dumps("vegaEmbed")[1:-1] in page
