"""A data set on disk: labels and image files, checked against each other. No image is opened here."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nephoscope.data.formats import LABELLED_FOLDER, UNLABELLED_FOLDER, Format
from nephoscope.data.images import ENDINGS
from nephoscope.data.labels import Labels, read_labels
from nephoscope.data.problems import DataProblemsError, Problem


@dataclass(frozen=True)
class Source:
    root: Path
    images: pd.DataFrame
    """image_id, file (relative to the root), labelled. Labelled images first, both parts sorted by image_id."""
    rles: dict[str, dict[str, str]]
    """image_id → class_name → RLE at the format's rle_shape; empty masks are left out."""
    file_count: int
    """Number of image files in both folders, including those with unusable names."""


def read_source(root: Path, data_format: Format, problems: list[Problem]) -> Source:
    """List and check a data set. Adds to the problems; raises DataProblemsError if the whole data set is unusable."""
    if not (root / LABELLED_FOLDER).is_dir():
        message = f"no such folder in {root}; set prepare.root to the folder that contains it"
        problems.append(Problem("missing_folder", LABELLED_FOLDER, None, message))
        raise DataProblemsError(problems)
    labels = read_labels(root, data_format, problems)
    labelled, unlabelled = (_list_images(root, folder, problems) for folder in (LABELLED_FOLDER, UNLABELLED_FOLDER))
    if not labelled:
        message = f"no images in the folder; their names must end in {', '.join(ENDINGS)}"
        problems.append(Problem("no_pictures", LABELLED_FOLDER, None, message))
        raise DataProblemsError(problems)
    problems += _compare(labels, labelled) + _check_doubles(labelled, unlabelled)
    images = [(name, f"{LABELLED_FOLDER}/{name}", True) for name in labelled]
    images += [(name, f"{UNLABELLED_FOLDER}/{name}", False) for name in unlabelled]
    with_problems = {problem.image_id for problem in problems}
    masks = labels.table[(labels.table["rle"] != "") & ~labels.table["image_id"].isin(with_problems)]
    rles = {
        str(image_id): dict(zip(rows["class_name"], rows["rle"], strict=True))
        for image_id, rows in masks.groupby("image_id")
    }
    misnamed_count = sum(problem.kind == "misnamed_picture" for problem in problems)
    table = pd.DataFrame(images, columns=["image_id", "file", "labelled"])
    return Source(root, table, rles, len(images) + misnamed_count)


def _list_images(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """The sorted names of a folder's images. A name that is not UTF-8 is a problem, and is shown with escapes."""
    if not (root / folder).is_dir():
        return []
    names = [path.name for path in (root / folder).iterdir()]
    names = sorted(name for name in names if name.lower().endswith(ENDINGS) and not name.startswith("."))
    escaped = {name: name.encode("utf-8", "backslashreplace").decode() for name in names}
    message = "the file's name is not UTF-8; rename it"
    problems += [
        Problem("misnamed_picture", f"{folder}/{text}", None, message, text)
        for name, text in escaped.items()
        if name != text
    ]
    return [name for name, text in escaped.items() if name == text]


def _compare(labels: Labels, labelled: list[str]) -> list[Problem]:
    """Rows without an image, and images without rows if the layout has rows for every image."""
    first_rows = labels.table.groupby("image_id", sort=False)["row"].min()
    missing = first_rows[~first_rows.index.isin(labelled)]
    problems = [
        Problem("missing_picture", labels.file, int(row), f"{image_id} is not in {LABELLED_FOLDER}", str(image_id))
        for image_id, row in missing.items()
    ]
    if labels.every_class:
        extra = sorted(set(labelled) - set(first_rows.index))
        message = f"the image has no rows in {labels.file}"
        problems += [Problem("extra_picture", f"{LABELLED_FOLDER}/{name}", None, message, name) for name in extra]
    return problems


def _check_doubles(labelled: list[str], unlabelled: list[str]) -> list[Problem]:
    message = f"{LABELLED_FOLDER} has an image of the same name"
    doubles = sorted(set(labelled) & set(unlabelled))
    return [Problem("doubled_picture", f"{UNLABELLED_FOLDER}/{name}", None, message, name) for name in doubles]
