"""Jinja templates of a folder. A variable that is missing is an error, not an empty text."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

UNKNOWN = "n/a"
"""Shown for a number that is not known; never 0."""


def open_templates(folder: Path, *, escape: bool) -> Environment:
    """With `escape`, texts cannot become HTML; needed for pages, because they show texts from data."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
