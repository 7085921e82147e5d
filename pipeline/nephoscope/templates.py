"""The templates of a folder, as jinja2 opens them: what a template asks for and nobody gave is an error."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

UNKNOWN = "n/a"
"""What people read where a figure is not known; never 0."""


def open_templates(folder: Path, *, escape: bool) -> Environment:
    """`escape` for pages, where every text that comes from data must stay text."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
