"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from pathlib import Path

from pydantic import (
    Field,
)

from nephoscope.settings.section import Section


class Report(Section):
    best: int = Field(6, ge=0, description="pictures shown of the best")
    median: int = Field(6, ge=0, description="pictures shown from around the median")
    worst: int = Field(12, ge=0, description="pictures shown of the worst")
    labels: int = Field(40, ge=0, description="labels shown on the page of those to look at again")
    title: str = Field("nephoscope", description="heading of the page")
    earlier: Path | None = Field(
        None,
        description="folder of tables of an earlier run (a copy of its artifacts/evaluate/tables), to compare with, "
        "picture by picture",
    )
