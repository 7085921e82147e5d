"""Problems: everything a person can get wrong in a data set, collected first and reported at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import pandas as pd

from nephoscope.data.formats import UNLABELLED_FOLDER
from nephoscope.errors import UserError
from nephoscope.files import atomic_write
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

ProblemKind = Literal[
    # of the data set as a whole: these always refuse
    "missing_folder", "missing_labels", "unreadable_labels", "missing_column", "no_pictures",
    # of a row of the CSV
    "malformed_row", "unknown_class", "duplicate_row", "missing_row", "bad_rle",
    # of a picture
    "missing_picture", "extra_picture", "doubled_picture", "unreadable_picture", "truncated_picture",
    "oversized_picture", "undersized_picture", "wrong_aspect", "misnamed_picture",
]  # fmt: skip
SHOWN = 20


@dataclass(frozen=True)
class Problem:
    kind: ProblemKind
    file: str
    """Relative to the data set's root."""
    row: int | None
    """Line of the CSV as an editor counts it; None where the problem is not in a CSV."""
    message: str
    image_id: str | None = None
    """The picture that is to be set aside for it; None: nothing can be set aside, the data set is refused."""

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
            lines.append(f"  … and {len(problems) - SHOWN} more; all, by kind:")
            lines += [f"  {count:7} {kind}" for kind, count in counts.most_common()]
        super().__init__("\n".join([*lines, self._way_out()]))

    def _way_out(self) -> str:
        if any(problem.image_id is None for problem in self.problems):
            return "Correct what prepare.root and prepare.format point at."
        return "Correct them, or set prepare.problems to set_aside: these pictures are then left out and listed."


def problem_images(problems: list[Problem], choice: Literal["refuse", "set_aside"]) -> set[str]:
    """The image_ids to leave out; raises DataFaults where the choice, or a problem of the whole, refuses."""
    if problems and (choice == "refuse" or any(problem.image_id is None for problem in problems)):
        raise DataProblemsError(problems)
    return {problem.image_id for problem in problems if problem.image_id is not None}


def unlabelled_problems(problems: list[Problem]) -> set[str]:
    """Those of them that are pictures without labels."""
    return {str(problem.image_id) for problem in problems if _is_unlabelled(problem.file)}


def _is_unlabelled(file: str) -> bool:
    return file.startswith(f"{UNLABELLED_FOLDER}/")


@contextmanager
def recording(path: Path) -> Iterator[list[Problem]]:
    """Lend a list for problems; it is written as a table at the end, also when the data set was refused."""
    problems: list[Problem] = []
    try:
        yield problems
    finally:
        write_problems(problems, path)


def read_unlabelled(path: Path) -> list[str]:
    """Of the pictures that were set aside, those without labels, sorted; of none of the others is a row expected."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    unlabelled = table.loc[table["file"].map(_is_unlabelled).astype(bool), "image_id"]
    return sorted(set(unlabelled) - {""})


def write_problems(problems: list[Problem], path: Path) -> None:
    table = pd.DataFrame([asdict(problem) for problem in problems], columns=[field.name for field in fields(Problem)])
    with atomic_write(path) as unfinished:
        table.astype({"row": "Int64"}).to_csv(unfinished, index=False)


ASPECT_TOLERANCE = 0.02


def check_picture(image: Image, rle_shape: Shape, file: str, image_id: str) -> Problem | None:
    """The problem of an image (H×W×3), if it has one."""
    height, width = image.shape[:2]
    aspect, expected = width / height, rle_shape[1] / rle_shape[0]
    if abs(aspect / expected - 1) > ASPECT_TOLERANCE:
        message = f"{height}×{width} has the aspect {aspect:.3f}; masks of {rle_shape[0]}×{rle_shape[1]} {expected:.3f}"
        return Problem("wrong_aspect", file, None, message, image_id)
    return None
