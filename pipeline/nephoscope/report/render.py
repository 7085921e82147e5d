"""The page: everything worth knowing about a run in one HTML file that needs no network.

Scripts add to it, and nothing depends on them.
"""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from nephoscope.evaluation.error_types import KINDS
from nephoscope.figures.colours import CLASS_COLOURS, to_hex
from nephoscope.figures.overlays import OUTCOMES
from nephoscope.figures.svg import readable_on_white
from nephoscope.figures.tables import Table, to_cell
from nephoscope.masks.rle import Shape
from nephoscope.report.comparison import Compared
from nephoscope.report.data_profile import ProfileFigure
from nephoscope.report.gallery import Group
from nephoscope.report.heat_maps import HeatMap
from nephoscope.report.results import Results
from nephoscope.report.run import Training
from nephoscope.report.tuning import Tuned
from nephoscope.templates import open_templates

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy of a page that holds everything: a browser fetches nothing for it, whatever it says."""


@dataclass(frozen=True)
class Page:
    """What the page shows, in reading order."""

    title: str
    format_name: str
    pictures: int
    """on which everything is measured"""
    confidence: float
    output_shape: Shape
    classes: tuple[str, ...]
    results: Results
    comparison: Compared | None
    tuned: Tuned
    error_types: Table
    galleries: tuple[Group, ...]
    heat_maps: tuple[HeatMap, ...]
    trainings: tuple[Training, ...]
    profile: tuple[ProfileFigure, ...]
    problems: Table | None
    splits: Table
    settings: tuple[Table, ...]
    versions: Table


def render(page: Page) -> str:
    """The page as HTML."""
    return new_environment().get_template("page.html.jinja").render(page=page)


def new_environment() -> Environment:
    """Every text that comes from data is escaped."""
    environment = open_templates(Path(__file__).parent, escape=True)
    environment.filters["number"] = lambda value: to_cell(value).text
    environment.filters["slug"] = lambda name: name.replace(" ", "-")
    environment.globals.update(
        outcomes=OUTCOMES,
        error_types=KINDS,
        policy=POLICY,
        to_hex=to_hex,
        dark_colours=[to_hex(colour) for colour in CLASS_COLOURS],
        light_colours=[readable_on_white(colour) for colour in CLASS_COLOURS],
    )
    return environment
