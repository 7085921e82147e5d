"""Tables as people read them, for the report and the model card: text cells, intervals, rules."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from nephoscope.evaluation.tables import OURS
from nephoscope.rules.decide import FAINTEST
from nephoscope.rules.rules import NEVER, Rules
from nephoscope.templates import UNKNOWN


def rule_notes(rules: Rules) -> str:
    """The parts that all classes share, in words."""
    return " ".join([_presence_note(rules), *_adaptive_note(rules)])


def _presence_note(rules: Rules) -> str:
    weight = rules.classifier_weight
    forced = "; if no class is present, the most probable one is forced" if rules.force_top_class else ""
    return f"Presence is {100 * weight:.0f} % classifier and {100 - 100 * weight:.0f} % top-fraction mean{forced}."


def _adaptive_note(rules: Rules) -> list[str]:
    if not rules.adaptive_power:
        return []
    power = "" if rules.adaptive_power == 1 else f" to the power of {rules.adaptive_power:g}"
    top_mean = f"the top-fraction mean of the image (at least {FAINTEST:g}){power}"
    return [f"The pixel threshold of every class is multiplied by {top_mean}."]


HEADINGS = {"class_name": "class", "f1": "F1", "brier": "Brier", "std": "deviation"}
LONGEST = 6  # values of a setting


@dataclass(frozen=True)
class Cell:
    text: str
    detail: str = ""


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """The first cell of a row is its heading"""
    highlighted: str = ""
    """Heading of the emphasised row"""
    note: str = ""

    @classmethod
    def of_frame(cls, caption: str, frame: pd.DataFrame, limit: int | None = None, rest_in: str = "") -> Self:
        """All rows of a data frame, or the first `limit` rows and a note about the file with the rest."""
        names = [str(name) for name in frame.columns]
        shown = frame.head(len(frame) if limit is None else limit)
        rows = [[to_cell(value, name) for value, name in zip(row, names, strict=True)] for row in _values(shown)]
        left = len(frame) - len(shown)
        return cls.of_cells(caption, names, rows, note=f"{left} more rows in {rest_in}" if left else "")

    @classmethod
    def of_cells(
        cls, caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], highlighted: str = "", note: str = ""
    ) -> Self:
        headings = tuple(HEADINGS.get(name, name.replace("_", " ")) for name in columns)
        return cls(caption, headings, tuple(tuple(row) for row in rows), highlighted, note)


def _values(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    # Column by column, so that integers beside floats stay integers.
    return zip(*(frame[name].tolist() for name in frame.columns), strict=True)


def to_cell(value: Any, column: str = "") -> Cell:
    """A value as text. Unknown values are "n/a", shares are percentages.

    >>> to_cell(0.25).text, to_cell(1234).text, to_cell(float("nan")).text
    ('0.250', '1,234', 'n/a')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell(UNKNOWN)
    if column.endswith("share"):
        return Cell(f"{100 * value:.1f}\N{NO-BREAK SPACE}%")
    if isinstance(value, list):  # a shape
        return Cell(" × ".join(map(str, value)))
    if isinstance(value, float):
        return Cell(f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}")
    return Cell(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


def setting_text(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    if isinstance(value, list | tuple) and len(value) > LONGEST:
        return f"{', '.join(map(str, value[:3]))}, …, {value[-1]} ({len(value)} values)"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def dice_cell(dice: float, low: float, high: float) -> Cell:
    """Dice, with its interval below if there is one."""
    return Cell(to_cell(dice).text, "" if math.isnan(low) else f"{low:.3f} to {high:.3f}")


def signed_cell(difference: float, low: float, high: float) -> Cell:
    """A difference, with its interval below.

    >>> signed_cell(0.25, -0.125, 0.5)
    Cell(text='+0.250', detail='-0.125 to +0.500')
    """
    return Cell(f"{difference:+.3f}", f"{low:+.3f} to {high:+.3f}")


def show_dice(caption: str, table: pd.DataFrame, key: str, columns: Sequence[str], highlighted: str = OURS) -> Table:
    """A table with `key`, class_name, dice, low, high → one with a row per key and a column per class in `columns`."""
    cells = {
        (row[0], row[1]): dice_cell(*row[2:]) for row in _values(table[[key, "class_name", "dice", "low", "high"]])
    }
    values = [value for value in dict.fromkeys(table[key]) if any((value, name) in cells for name in columns)]
    rows = [[Cell(value), *(cells.get((value, name), Cell("")) for name in columns)] for value in values]
    return Table.of_cells(caption, [key, *columns], rows, highlighted)


def show_rules(rules: Rules) -> Table:
    """A row per class with the parts of its rule."""
    rows = [
        [
            Cell(name),
            Cell(_shown_from(rule.presence_threshold)),
            level_cell(rule.pixel_threshold),
            Cell(f"{rule.min_area:,}"),
        ]
        for name, rule in zip(rules.classes, rules.rules, strict=True)
    ]
    height, width = rules.output_shape
    caption = f"The rule of every class; areas are pixels at {height} × {width}"
    columns = ["class", "presence threshold", "pixel threshold", "minimum area"]
    return Table.of_cells(caption, columns, rows, note=rule_notes(rules))


def _shown_from(threshold: float) -> str:
    if threshold >= NEVER:
        return "never"
    return f"≥ {threshold:.3f}" if threshold > 0 else "every image"


def level_cell(level: int) -> Cell:
    """A pixel threshold as a probability, above its level of 255."""
    return Cell(f"{level / 255:.3f}", f"level {level}")
