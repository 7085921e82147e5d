"""Images whose labels contradict the networks, for the page `label_issues.html`."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from nephoscope.masks.rle import Shape
from nephoscope.report.gallery import Gallery, GalleryImage


@dataclass(frozen=True)
class LabelIssue:
    """One label that the networks contradict."""

    class_name: str
    annotated: bool
    presence: float
    surprise: float
    """bits"""
    image: GalleryImage
    """The overlay of the doubtful class comes first; the others follow, because classes are easily confused."""


@dataclass(frozen=True)
class LabelIssuesPage:
    label_issues: tuple[LabelIssue, ...]
    """only those that the page shows"""
    issue_count: int
    """all of them, as in the table"""
    label_count: int
    table_name: str
    output_shape: Shape


def show_label_issues(table: pd.DataFrame, galleries: Mapping[str, Gallery]) -> tuple[LabelIssue, ...]:
    """Rows of label_issues.csv, and one gallery per split → one issue per row."""
    return tuple(_show(row, galleries) for row in table.to_dict("records"))


def _show(row: Mapping[Hashable, Any], galleries: Mapping[str, Gallery]) -> LabelIssue:
    class_name = str(row["class_name"])
    (image,) = galleries[str(row["split"])].show([str(row["image_id"])])
    overlays = sorted(image.overlays, key=lambda overlay: overlay.class_name != class_name)
    image = replace(image, overlays=tuple(overlays))
    return LabelIssue(class_name, bool(row["annotated"]), float(row["presence"]), float(row["surprise"]), image)
