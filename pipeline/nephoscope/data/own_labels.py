"""What a file or folder of labels says, if classes and shapes are not known before."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nephoscope.data.annotations import Annotation
from nephoscope.data.problems import DataProblemsError, Problem, ProblemKind
from nephoscope.masks.rle import Shape


@dataclass(frozen=True)
class OwnOptions:
    """Choices of a person about a data set with classes of its own. None: as the data says."""

    labels: Path | None = None
    """File or folder of the labels, relative to the data set's root."""
    classes: tuple[str, ...] | None = None
    """The classes to learn, in this order. Labels of other classes are left out."""
    label_shape: Shape | None = None
    """In whose pixels boxes are counted."""
    output_shape: Shape | None = None
    nodata: bool | None = None
    ground_size: tuple[float, float] | None = None


@dataclass(frozen=True)
class OwnLabels:
    file: str
    """File or folder, for messages"""
    classes: tuple[str, ...]
    annotations: Mapping[str, Annotation]
    """By image_id"""
    first_rows: Mapping[str, int | None]
    """image_id of every labelled image that the file names → its first line"""
    every_image: bool
    """True: an image that the file does not name is a problem. False: it has no masks."""
    left_out: Counter[str]
    """Number of labels of classes that were not chosen"""


def choose_classes(existing: Iterable[str], chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """The chosen classes; without a choice all existing ones."""
    return chosen if chosen is not None else tuple(dict.fromkeys(existing))


def missing_classes(labels: OwnLabels, existing: Iterable[str]) -> list[Problem]:
    """A problem if a chosen class has no label at all: its name may be misspelt."""
    known = sorted(set(existing))
    missing = [name for name in labels.classes if name not in known]
    if not missing:
        return []
    message = f"prepare.classes names {', '.join(missing)}, which the labels do not have; they have: {', '.join(known)}"
    return [Problem("bad_classes", labels.file, None, message[:500])]


def refusal(problems: list[Problem], kind: ProblemKind, file: str, message: str) -> DataProblemsError:
    """The error for a problem of the whole data set; it is added to the problems."""
    problems.append(Problem(kind, file, None, message))
    return DataProblemsError(problems)
