"""The page of labels to look at again: each with its picture, what is annotated and what was predicted."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from nephoscope.masks.rle import Shape
from nephoscope.report.gallery import Gallery, Shown
from nephoscope.report.render import new_environment


@dataclass(frozen=True)
class LabelIssue:
    """One label and what speaks against it."""

    class_name: str
    annotated: bool
    chance: float
    surprise: float
    picture: Shown
    """with the doubtful class first, then what else is in it: patterns are mistaken for each other"""


def show_label_issues(table: pd.DataFrame, galleries: Mapping[str, Gallery], count: int) -> tuple[LabelIssue, ...]:
    """The first so many rows; a gallery per split."""
    return tuple(_show(row, galleries) for row in table.head(count).to_dict("records"))


def _show(row: Mapping[Hashable, Any], galleries: Mapping[str, Gallery]) -> LabelIssue:
    class_name = str(row["class_name"])
    (shown,) = galleries[str(row["split"])].show([str(row["image_id"])])
    picture = replace(shown, overlays=tuple(sorted(shown.overlays, key=lambda one: one.class_name != class_name)))
    return LabelIssue(class_name, bool(row["annotated"]), float(row["chance"]), float(row["surprise"]), picture)


def render_label_issues(
    label_issues: tuple[LabelIssue, ...], found: int, labels: int, table_name: str, output_shape: Shape
) -> str:
    """The page as HTML; `found` of all `labels` are contradicted, the whole list is in the table."""
    return new_environment().get_template("label_issues.html.jinja").render(
        label_issues=label_issues, found=found, labels=labels, table_name=table_name, output_shape=output_shape
    )  # fmt: skip
