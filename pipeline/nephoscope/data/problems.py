"""Problems of a data set: wrong files, rows and images. They are collected first and reported together."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import pandas as pd

from nephoscope.data.formats import UNLABELLED_FOLDER
from nephoscope.data.images import describe_stretch
from nephoscope.errors import UserError
from nephoscope.files import atomic_write
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape
from nephoscope.names import cell

ProblemKind = Literal[
    # of the whole data set; these cannot be set aside
    "missing_folder", "missing_labels", "unreadable_labels", "missing_column", "no_pictures", "bad_classes",
    # of a row in the CSV, or of an annotation
    "malformed_row", "unknown_class", "duplicate_row", "missing_row", "bad_rle", "bad_box", "bad_polygon", "bad_mask",
    # of an image
    "missing_picture", "extra_picture", "doubled_picture", "unreadable_picture", "truncated_picture",
    "damaged_picture", "oversized_picture", "undersized_picture", "wrong_aspect", "misnamed_picture",
]  # fmt: skip
SHOWN = 20


@dataclass(frozen=True)
class Problem:
    kind: ProblemKind
    file: str
    """Relative to the data set's root."""
    row: int | None
    """Line number in the CSV, as an editor counts; None if the problem is not in a CSV."""
    message: str
    image_id: str | None = None
    """The image to set aside; None: the data set is refused, because nothing can be set aside."""

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        return f"{place}: {self.kind}: {self.message}"


class DataProblemsError(UserError):
    """The data set has problems; the message lists the first of them, counts them, and names the way out."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = [f"{len(problems)} problem(s) in the data set:", *(f"  {problem}" for problem in problems[:SHOWN])]
        if len(problems) > SHOWN:
            counts = Counter(problem.kind for problem in problems)
            lines.append(f"  … and {len(problems) - SHOWN} more. All problems by kind:")
            lines += [f"  {count:7} {kind}" for kind, count in counts.most_common()]
        super().__init__("\n".join([*lines, self._way_out()]))

    def _way_out(self) -> str:
        if any(problem.image_id is None for problem in self.problems):
            return "Correct them, or check prepare.root and prepare.format."
        return "Correct them, or set prepare.problems to set_aside, which leaves these images out and lists them."


def images_to_set_aside(problems: list[Problem], choice: Literal["refuse", "set_aside"]) -> set[str]:
    """The image_ids to leave out. Raises DataProblemsError if the choice or a problem of the whole data set refuses."""
    if problems and (choice == "refuse" or any(problem.image_id is None for problem in problems)):
        raise DataProblemsError(problems)
    return {problem.image_id for problem in problems if problem.image_id is not None}


def unlabelled_with_problems(problems: list[Problem]) -> set[str]:
    """The image_ids of unlabelled images with problems."""
    return {str(problem.image_id) for problem in problems if _is_unlabelled(problem.file)}


def _is_unlabelled(file: str) -> bool:
    return file.startswith(f"{UNLABELLED_FOLDER}/")


@contextmanager
def record_problems(path: Path) -> Iterator[list[Problem]]:
    """Yield a list for problems. It is written as a table at the end, even if the data set is refused."""
    problems: list[Problem] = []
    try:
        yield problems
    finally:
        write_problems(problems, path)


def read_unlabelled_set_aside(path: Path) -> list[str]:
    """Sorted image_ids of the unlabelled images in problems.csv. A submission needs rows for them, too."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    unlabelled = table.loc[table["file"].map(_is_unlabelled).astype(bool), "image_id"]
    return sorted(set(unlabelled) - {""})


def write_problems(problems: list[Problem], path: Path) -> None:
    table = pd.DataFrame([asdict(problem) for problem in problems], columns=[field.name for field in fields(Problem)])
    for name in ("file", "message", "image_id"):
        table[name] = table[name].map(cell, na_action="ignore")
    with atomic_write(path) as unfinished:
        table.astype({"row": "Int64"}).to_csv(unfinished, index=False)


def check_aspect(image: Image, rle_shape: Shape, file: str, image_id: str) -> Problem | None:
    """The problem of an image (H×W×3) whose aspect (width / height) differs from that of the masks; otherwise None."""
    message = explain_aspect((image.shape[0], image.shape[1]), rle_shape)
    return Problem("wrong_aspect", file, None, message, image_id) if message else None


def explain_aspect(shape: Shape, rle_shape: Shape) -> str:
    """How the aspects (width / height) of an image and its masks differ; empty if they do not."""
    if not describe_stretch(shape, rle_shape):
        return ""
    (height, width), expected = shape, rle_shape[1] / rle_shape[0]
    masks = f"masks of {rle_shape[0]}×{rle_shape[1]} have {expected:.3f}"
    return f"{height}×{width} has the aspect {width / height:.3f}, {masks}"
