"""The page: everything worth knowing about a run in one HTML file that needs no network.

Scripts add to it, and nothing depends on them.
"""

from dataclasses import dataclass

from jinja2 import Environment

from pipeline.delivery.page_comparison import Compared
from pipeline.delivery.page_findings import Finding
from pipeline.delivery.page_gallery import Group
from pipeline.delivery.page_heat import HeatMap
from pipeline.delivery.page_results import Results
from pipeline.delivery.page_run import Training
from pipeline.delivery.page_tables import Table, to_cell
from pipeline.delivery.page_tuning import Tuned
from pipeline.delivery.templates import open_templates
from pipeline.evaluation.kinds import KINDS
from pipeline.evaluation.outcomes import OUTCOMES
from pipeline.evaluation.svg import readable_on_white
from pipeline.masks.colours import CLASS_COLOURS, to_hex
from pipeline.masks.rle import Shape

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
    judged_shape: Shape
    classes: tuple[str, ...]
    results: Results
    comparison: Compared | None
    tuned: Tuned
    kinds: Table
    galleries: tuple[Group, ...]
    heat_maps: tuple[HeatMap, ...]
    trainings: tuple[Training, ...]
    findings: tuple[Finding, ...]
    faults: Table | None
    splits: Table
    settings: tuple[Table, ...]
    versions: Table


def render(page: Page) -> str:
    """The page as HTML."""
    return new_environment().get_template("page.html.jinja").render(page=page)


def new_environment() -> Environment:
    """Every text that comes from data is escaped."""
    environment = open_templates(escape=True)
    environment.filters["number"] = lambda value: to_cell(value).text
    environment.filters["slug"] = lambda name: name.replace(" ", "-")
    environment.globals.update(
        outcomes=OUTCOMES,
        kinds=KINDS,
        policy=POLICY,
        to_hex=to_hex,
        dark_colours=[to_hex(colour) for colour in CLASS_COLOURS],
        light_colours=[readable_on_white(colour) for colour in CLASS_COLOURS],
    )
    return environment
