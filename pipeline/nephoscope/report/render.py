"""Render the pages as HTML. Each page is one file that needs no network; scripts only add to it."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from nephoscope.evaluation.error_types import KINDS
from nephoscope.figures.colours import CLASS_COLOURS, class_colours, to_hex
from nephoscope.figures.overlays import OUTCOMES
from nephoscope.figures.svg import readable_on_white
from nephoscope.figures.tables import Table, to_cell
from nephoscope.masks.rle import Shape
from nephoscope.report.comparison import Comparison
from nephoscope.report.data_profile import ProfileEntry
from nephoscope.report.gallery import GalleryGroup
from nephoscope.report.images import HeatMap
from nephoscope.report.label_issues import LabelIssuesPage
from nephoscope.report.results import Results
from nephoscope.report.run import Training
from nephoscope.report.tuning import Tuning
from nephoscope.templates import open_templates

TEMPLATES = Path(__file__).parent / "templates"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: the browser loads nothing from elsewhere, even if data smuggled an address into the page."""


@dataclass(frozen=True)
class Page:
    """Contents of the report, in reading order."""

    title: str
    format_name: str
    image_count: int
    """of holdout, on which all scores are measured"""
    confidence: float
    output_shape: Shape
    classes: tuple[str, ...]
    results: Results
    comparison: Comparison | None
    tuning: Tuning
    error_types: Table
    galleries: tuple[GalleryGroup, ...]
    heat_maps: tuple[HeatMap, ...]
    trainings: tuple[Training, ...]
    profile: tuple[ProfileEntry, ...]
    problems: Table | None
    splits: Table
    settings: tuple[Table, ...]
    versions: Table


def render_report(page: Page) -> str:
    return _open_environment(len(page.classes)).get_template("report.html.jinja").render(page=page)


def render_label_issues(page: LabelIssuesPage) -> str:
    return _open_environment().get_template("label_issues.html.jinja").render(page=page)


def _open_environment(class_count: int = 0) -> Environment:
    """Templates, with their filters and globals; every text that comes from data is escaped."""
    colours = class_colours(max(class_count, len(CLASS_COLOURS)))
    environment = open_templates(TEMPLATES, escape=True)
    environment.filters["number"] = lambda value: to_cell(value).text
    environment.filters["slug"] = lambda name: name.replace(" ", "-")
    environment.globals.update(
        outcomes=OUTCOMES,
        error_types=KINDS,
        policy=POLICY,
        to_hex=to_hex,
        dark_colours=[to_hex(colour) for colour in colours],
        light_colours=[readable_on_white(colour) for colour in colours],
    )
    return environment
