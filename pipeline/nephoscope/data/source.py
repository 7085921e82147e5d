"""A data set on disk: labels and image files, checked against each other. No image is opened here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nephoscope.data.annotations import Annotation, RleAnnotation
from nephoscope.data.formats import LABELLED_FOLDER, UNLABELLED_FOLDER, Format
from nephoscope.data.images import ENDINGS
from nephoscope.data.labels import read_labels
from nephoscope.data.problems import DataProblemsError, Problem
from nephoscope.names import explain_name, one_line


@dataclass(frozen=True)
class Source:
    root: Path
    data_format: Format
    images: pd.DataFrame
    """image_id, file (relative to the root), labelled. Labelled images first, both parts sorted by image_id."""
    annotations: Mapping[str, Annotation]
    """By image_id; images without one have no masks."""
    file_count: int
    """Number of image files in both folders, including those with unusable names."""
    note: str = ""
    """What a person should know about the labels."""


def read_source(root: Path, data_format: Format, problems: list[Problem]) -> Source:
    """List and check a data set. Adds to the problems; raises DataProblemsError if the whole data set is unusable."""
    check_folder(root, problems)
    labels = read_labels(root, data_format, problems)
    files = list_files(root, problems)
    smallest = labels.table.groupby("image_id", sort=False)["row"].min()
    first_rows = {str(image_id): int(row) for image_id, row in smallest.items()}
    problems += compare(first_rows, labels.file, files.labelled, every_image=labels.every_class) + check_doubles(files)
    with_problems = {problem.image_id for problem in problems}
    masks = labels.table[(labels.table["rle"] != "") & ~labels.table["image_id"].isin(with_problems)]
    annotations = {
        str(image_id): RleAnnotation(dict(zip(rows["class_name"], rows["rle"], strict=True)), data_format.rle_shape)
        for image_id, rows in masks.groupby("image_id")
    }
    return Source(root, data_format, files.table(), annotations, files.count(problems))


@dataclass(frozen=True)
class ImageFiles:
    """Sorted names of the image files."""

    labelled: list[str]
    unlabelled: list[str]

    def table(self) -> pd.DataFrame:
        images = [(name, f"{LABELLED_FOLDER}/{name}", True) for name in self.labelled]
        images += [(name, f"{UNLABELLED_FOLDER}/{name}", False) for name in self.unlabelled]
        return pd.DataFrame(images, columns=["image_id", "file", "labelled"])

    def count(self, problems: list[Problem]) -> int:
        misnamed_count = sum(problem.kind == "misnamed_picture" for problem in problems)
        return len(self.labelled) + len(self.unlabelled) + misnamed_count


def check_folder(root: Path, problems: list[Problem]) -> None:
    if not (root / LABELLED_FOLDER).is_dir():
        message = f"no such folder in {root}; set prepare.root to the folder that contains it"
        problems.append(Problem("missing_folder", LABELLED_FOLDER, None, message))
        raise DataProblemsError(problems)


def list_files(root: Path, problems: list[Problem]) -> ImageFiles:
    """The images of both folders; raises DataProblemsError if there are no labelled ones."""
    labelled, unlabelled = (_list_images(root, folder, problems) for folder in (LABELLED_FOLDER, UNLABELLED_FOLDER))
    if not labelled:
        message = f"no images in the folder; their names must end in {', '.join(ENDINGS)}"
        problems.append(Problem("no_pictures", LABELLED_FOLDER, None, message))
        raise DataProblemsError(problems)
    return ImageFiles(labelled, unlabelled)


def list_names(root: Path, folder: str) -> list[str]:
    """The sorted names of a folder's image files; empty if there is no such folder."""
    if not (root / folder).is_dir():
        return []
    names = [path.name for path in (root / folder).iterdir()]
    return sorted(name for name in names if name.lower().endswith(ENDINGS) and not name.startswith("."))


def _list_images(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """The sorted names of a folder's images. A name that no table can hold is a problem, and is shown with escapes."""
    reasons = {name: explain_name(name) for name in list_names(root, folder)}
    problems += [
        Problem("misnamed_picture", f"{folder}/{one_line(name)}", None, reason, one_line(name))
        for name, reason in reasons.items()
        if reason
    ]
    return [name for name, reason in reasons.items() if not reason]


def compare(
    first_rows: Mapping[str, int | None], file: str, labelled: list[str], *, every_image: bool, listed: str = "rows"
) -> list[Problem]:
    """Labels without an image, and images without labels if the file lists every image.

    `first_rows`: image_id → line number. `listed`: what the file has for an image.
    """
    existing = set(labelled)
    problems = [
        Problem("missing_picture", file, row, f"{image_id} is not in {LABELLED_FOLDER}", image_id)
        for image_id, row in first_rows.items()
        if image_id not in existing
    ]
    if every_image:
        extra = sorted(existing - set(first_rows))
        message = f"the image has no {listed} in {file}"
        problems += [Problem("extra_picture", f"{LABELLED_FOLDER}/{name}", None, message, name) for name in extra]
    return problems


def check_doubles(files: ImageFiles) -> list[Problem]:
    message = f"{LABELLED_FOLDER} has an image of the same name"
    doubles = sorted(set(files.labelled) & set(files.unlabelled))
    return [Problem("doubled_picture", f"{UNLABELLED_FOLDER}/{name}", None, message, name) for name in doubles]
