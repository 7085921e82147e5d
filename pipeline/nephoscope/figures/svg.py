"""Figures as inline SVG whose colours the page decides, so that they read well on light and on dark paper.

A figure is drawn with stand-in colours; in the SVG each becomes a CSS variable that the page defines twice.
"""

import re
from dataclasses import dataclass
from io import StringIO
from typing import Self

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nephoscope.figures.colours import CLASS_COLOURS, Colour, to_hex

INK, MUTED, GRID, PAPER, ACCENT = "#010101", "#020202", "#030303", "#040404", "#050505"
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", ACCENT: "accent"}
CLASS_STANDINS = tuple(f"#0606{index:02x}" for index in range(len(CLASS_COLOURS)))
VARIABLES |= {standin: f"class-{index}" for index, standin in enumerate(CLASS_STANDINS)}
WIDTH = 5.2
"""inches: narrow enough to stay legible on a phone, where the whole figure must fit"""
COLUMNS = 2
"""of panels: more would be too small there"""
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
DROPPED = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|font-family: [^;]*; ", re.DOTALL)
"""Remarks, and styles that are the page's own affair: a `<style>` would hold for the whole page."""
LARGEST_LUMINANCE = 0.3
"""A colour of this relative luminance has a contrast of 3:1 against white, the least for lines and marks."""


def new_axes(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of this height in inches with axes one above the other, plain and in the page's colours."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = list(figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0])
    for axes in panels:
        _make_plain(axes)
    return figure, panels


def new_panels(count: int, row_height: float, further_height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many axes, two beside each other, on the same scales; heights in inches, those of a row and of
    all that is not rows."""
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    figure = Figure(figsize=(WIDTH, rows * row_height + further_height), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel())
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[:count]:
        _make_plain(axes)
    # Where the last row is not full, the row above it is the lowest of its column.
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
    """Figure → one `<svg>` element to be set into a page; `name` keeps its ids apart from those of others."""
    buffer = StringIO()
    # Text stays text: it is small, it can be searched, and it takes the page's font.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nephoscope"}):
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
    return re.sub(r"#0[1-6]0[1-6]0[0-9a-f]", lambda found: _variable(found[0]), body).strip()


def readable_on_white(colour: Colour) -> str:
    """The colour, darkened as far as lines on white need; its hue stays.

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
