"""Format `boxes`: a CSV of boxes that any number of people drew on images. Truth is the union per class."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from nephoscope.data.annotations import Annotation, Box, BoxAnnotation
from nephoscope.data.class_names import normalise
from nephoscope.data.labels import CsvError, CsvFile, read_csv_file
from nephoscope.data.own_labels import OwnLabels, OwnOptions, choose_classes, missing_classes, refusal
from nephoscope.data.problems import Problem

BOXES_FILE = "boxes.csv"
COLUMNS = ("file", "x1", "y1", "x2", "y2", "label")
NUMBER = "idx"
"""Optional column. If it is there, its values must differ."""


def read_boxes(root: Path, options: OwnOptions, problems: list[Problem]) -> OwnLabels:
    """Boxes of all images. Adds problems of rows to the list; raises DataProblemsError for problems of the file."""
    file = options.labels or Path(BOXES_FILE)
    if not (root / file).is_file():
        raise refusal(problems, "missing_labels", str(file), f"no such file in {root}; or set prepare.labels")
    try:
        content = read_csv_file(root / file)
    except CsvError as error:
        raise refusal(problems, "unreadable_labels", file.name, str(error)) from None
    if missing := [column for column in COLUMNS if column not in content.columns]:
        message = f"{', '.join(missing)} missing in {', '.join(content.columns)[:200]}; expected: {', '.join(COLUMNS)}"
        raise refusal(problems, "missing_column", file.name, message)
    return _Reader(file.name, content, problems).read(options)


class _Reader:
    def __init__(self, file: str, content: CsvFile, problems: list[Problem]) -> None:
        self.file, self.content, self.problems = file, content, problems
        self.paths: dict[str, str] = {}
        self.first_rows: dict[str, int | None] = {}
        self.boxes: dict[str, dict[str, list[tuple[int, Box]]]] = {}
        self.numbers: dict[str, int] = {}

    def read(self, options: OwnOptions) -> OwnLabels:
        for record, row in zip(self.content.records, self.content.lines, strict=True):
            self._add(record, row)
        existing = sorted({label for boxes in self.boxes.values() for label in boxes})
        classes = choose_classes(existing, options.classes)
        left_out = Counter({name: self._count(name) for name in existing if name not in classes})
        labels = OwnLabels(self.file, classes, self._annotations(classes, options), self.first_rows, True, left_out)
        self.problems += missing_classes(labels, existing)
        return labels

    def _add(self, record: list[str], row: int) -> None:
        """One row: a box, or that a person looked at the image and drew nothing."""
        if len(record) != len(self.content.columns):
            message = f"{len(record)} cells, but {len(self.content.columns)} columns"
            self.problems.append(Problem("malformed_row", self.file, row, message, _image_id(record[0])))
            return
        cells = dict(zip(self.content.columns, map(str.strip, record), strict=True))
        image_id, label = _image_id(cells["file"]), normalise(cells["label"])
        corners = [cells[column] for column in COLUMNS[1:5]]
        if problem := self._check(cells, image_id, label, corners, row):
            self.problems.append(problem)
            return
        self.first_rows.setdefault(image_id, row)
        if label:
            x1, y1, x2, y2 = map(float, corners)
            self.boxes.setdefault(image_id, {}).setdefault(label, []).append((row, (x1, y1, x2, y2)))

    def _check(
        self, cells: Mapping[str, str], image_id: str, label: str, corners: list[str], row: int
    ) -> Problem | None:
        number = cells.get(NUMBER, "")
        if not image_id:
            return Problem("malformed_row", self.file, row, "no file is named", "")
        if number and (first := self.numbers.setdefault(number, row)) != row:
            return Problem("duplicate_row", self.file, row, f"{NUMBER} {number} is already on line {first}", image_id)
        if (other := self.paths.setdefault(image_id, cells["file"])) != cells["file"]:
            message = f"{cells['file']} and {other} have the same name; rename one of them"
            return Problem("doubled_picture", self.file, row, message, image_id)
        if not label and not any(corners):
            return None
        if not label or not all(corners):
            message = f"{image_id}: a box needs four numbers and a label; without a box, leave all five empty"
            return Problem("malformed_row", self.file, row, message, image_id)
        reason = _explain_box(corners)
        return Problem("bad_box", self.file, row, f"{label} of {image_id}: {reason}", image_id) if reason else None

    def _count(self, label: str) -> int:
        return sum(len(boxes.get(label, ())) for boxes in self.boxes.values())

    def _annotations(self, classes: tuple[str, ...], options: OwnOptions) -> dict[str, Annotation]:
        return {
            image_id: BoxAnnotation(
                self.file, {name: boxes[name] for name in classes if name in boxes}, options.label_shape
            )
            for image_id, boxes in self.boxes.items()
        }


def _image_id(file: str) -> str:
    return PurePosixPath(file.strip().replace("\\", "/")).name


def _explain_box(corners: list[str]) -> str:
    """Why four texts are not a box; empty if they are."""
    try:
        x1, y1, x2, y2 = map(float, corners)
    except ValueError:
        return f"not four numbers: {', '.join(corners)[:80]}"
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return f"not four finite numbers: {', '.join(corners)[:80]}"
    if x1 >= x2 or y1 >= y2:
        return f"x1, y1, x2, y2 are {x1:g}, {y1:g}, {x2:g}, {y2:g}; expected x1 < x2 and y1 < y2"
    return ""
