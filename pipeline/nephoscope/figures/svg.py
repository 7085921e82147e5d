"""Figures as inline SVG with the colours of the page, readable in light and dark mode.

A figure is drawn with stand-in colours. In the SVG each becomes a CSS variable, which the page defines for both modes.
"""

import re
from dataclasses import dataclass
from io import StringIO
from typing import Self

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nephoscope.figures.colours import Colour, to_hex
from nephoscope.figures.lettering import any_script
from nephoscope.masks.geometry import MAX_CLASSES

INK, MUTED, GRID, PAPER, ACCENT = "#010101", "#020202", "#030303", "#040404", "#050505"
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", ACCENT: "accent"}
CLASS_STANDINS = tuple(f"#0606{index:02x}" for index in range(MAX_CLASSES))
VARIABLES |= {standin: f"class-{index}" for index, standin in enumerate(CLASS_STANDINS)}
WIDTH = 5.2
"""inches; text stays legible when the whole figure is shrunk to a phone"""
COLUMNS = 2
"""Columns of panels; more would be too small on a phone"""
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
DROPPED = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|font-family: [^;\"]*(?:; )?", re.DOTALL)
"""Comments and styles. A `<style>` would apply to the whole page."""
LARGEST_LUMINANCE = 0.3
"""A colour of this relative luminance has a contrast of 3:1 against white, the minimum for lines (WCAG)."""


def new_axes(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of this height (inches) with `rows` axes below each other, in the colours of the page."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = list(figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0])
    for axes in panels:
        _make_plain(axes)
    return figure, panels


def new_panels(count: int, row_height: float, further_height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes in two columns, on the same scales.

    Heights in inches: of one row of axes, and of everything else together.
    """
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    figure = Figure(figsize=(WIDTH, rows * row_height + further_height), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel())
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[:count]:
        _make_plain(axes)
    # If the last row is not full, the row above is the lowest of its column.
    for axes in panels[:count][-columns:]:
        axes.tick_params(labelbottom=True)
    return figure, panels[:count]


def _make_plain(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(MUTED)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelcolor=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Figure → one inline `<svg>` element. `name` is a prefix that makes its ids unique in a page."""
    buffer = StringIO()
    # Text stays text: smaller, searchable, and in the font of the page.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nephoscope"}), any_script():
        figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    text = buffer.getvalue()
    body = text[text.index("<svg") :]
    body = DROPPED.sub("", body)
    view_box = re.search(r'viewBox="[^"]*"', body)
    assert view_box, "an SVG of matplotlib has a viewBox"
    opening = f'<svg {view_box[0]} role="img" aria-label="{_attribute(description)}">'
    body = opening + body[body.index(">") + 1 :]
    body = re.sub(r'\bid="', f'id="{name}-', body).replace("url(#", f"url(#{name}-")
    body = body.replace('xlink:href="#', f'href="#{name}-').replace('xlink:href="', 'href="')
    return re.sub(r"#0[1-6]0[1-6][01][0-9a-f]", lambda match: _variable(match[0]), body).strip()


def readable_on_white(colour: Colour) -> str:
    """The colour, darkened until lines on white are visible; the hue stays.

    >>> readable_on_white((0, 114, 178))
    '#0072b2'
    """
    linear = [_linear(value / 255) for value in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    scale = min(1.0, LARGEST_LUMINANCE / luminance)
    red, green, blue = (round(255 * _encoded(value * scale)) for value in linear)
    return to_hex((red, green, blue))


def _linear(value: float) -> float:
    return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)


def _encoded(value: float) -> float:
    return float(value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055)


def _variable(standin: str) -> str:
    return f"var(--{VARIABLES[standin]})" if standin in VARIABLES else standin


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


@dataclass(frozen=True)
class Drawing:
    svg: Markup
    caption: str

    @classmethod
    def of_figure(cls, name: str, figure: Figure, caption: str) -> Self:
        return cls(Markup(to_svg(figure, name, caption)), caption)
