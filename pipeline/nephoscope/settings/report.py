"""Settings of `report`."""

from pathlib import Path

from pydantic import Field

from nephoscope.settings.section import Section


class Report(Section):
    best: int = Field(6, ge=0, description="number of images shown with the highest Dice")
    median: int = Field(6, ge=0, description="number of images shown with a Dice near the median")
    worst: int = Field(12, ge=0, description="number of images shown with the lowest Dice")
    labels: int = Field(40, ge=0, description="number of label issues shown on their page")
    title: str = Field("nephoscope", description="heading of the page")
    earlier: Path | None = Field(
        None,
        description="a copy of `artifacts/evaluate/tables` of an earlier run; the page then compares both runs, "
        "image by image",
    )
