"""A data set as it lies in its folder: labels and pictures, checked against each other; no picture is opened yet."""

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
    pictures: pd.DataFrame
    """image_id, file (relative to the root), labelled: the labelled ones first, each part by image_id."""
    rles: dict[str, dict[str, str]]
    """image_id → class_name → RLE that is not empty, at the format's rle_shape."""
    found: int
    """Files of pictures in both folders, those included whose names cannot be used."""


def read_source(root: Path, data_format: Format, problems: list[Problem]) -> Source:
    """List and check a data set. Problems are added to the list; what makes all of it unusable raises DataFaults."""
    if not (root / LABELLED_FOLDER).is_dir():
        message = f"no such folder in {root}; prepare.root is the folder that holds it"
        problems.append(Problem("missing_folder", LABELLED_FOLDER, None, message))
        raise DataProblemsError(problems)
    labels = read_labels(root, data_format, problems)
    labelled, unlabelled = (_list_pictures(root, folder, problems) for folder in (LABELLED_FOLDER, UNLABELLED_FOLDER))
    if not labelled:
        message = f"no picture in it; their names end in {', '.join(ENDINGS)}"
        problems.append(Problem("no_pictures", LABELLED_FOLDER, None, message))
        raise DataProblemsError(problems)
    problems += _compare(labels, labelled) + _check_doubles(labelled, unlabelled)
    pictures = [(name, f"{LABELLED_FOLDER}/{name}", True) for name in labelled]
    pictures += [(name, f"{UNLABELLED_FOLDER}/{name}", False) for name in unlabelled]
    problem = {problem.image_id for problem in problems}
    table = labels.table[(labels.table["rle"] != "") & ~labels.table["image_id"].isin(problem)]
    rles = {
        str(image_id): dict(zip(rows["class_name"], rows["rle"], strict=True))
        for image_id, rows in table.groupby("image_id")
    }
    listed = pd.DataFrame(pictures, columns=["image_id", "file", "labelled"])
    return Source(root, listed, rles, len(pictures) + sum(problem.kind == "misnamed_picture" for problem in problems))


def _list_pictures(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """Their names, sorted. One that no table can hold is a problem, told as far as it can be written."""
    if not (root / folder).is_dir():
        return []
    names = [path.name for path in (root / folder).iterdir()]
    names = sorted(name for name in names if name.lower().endswith(ENDINGS) and not name.startswith("."))
    written = {name: name.encode("utf-8", "backslashreplace").decode() for name in names}
    message = "the file's name is not UTF-8; rename it"
    problems += [
        Problem("misnamed_picture", f"{folder}/{told}", None, message, told)
        for name, told in written.items()
        if name != told
    ]
    return [name for name, told in written.items() if name == told]


def _compare(labels: Labels, labelled: list[str]) -> list[Problem]:
    """Rows without a picture, and pictures without rows where every picture has some."""
    first_rows = labels.table.groupby("image_id", sort=False)["row"].min()
    missing = first_rows[~first_rows.index.isin(labelled)]
    problems = [
        Problem("missing_picture", labels.file, int(row), f"{image_id} is not in {LABELLED_FOLDER}", str(image_id))
        for image_id, row in missing.items()
    ]
    if labels.every_class:
        extra = sorted(set(labelled) - set(first_rows.index))
        message = f"the picture has no rows in {labels.file}"
        problems += [Problem("extra_picture", f"{LABELLED_FOLDER}/{name}", None, message, name) for name in extra]
    return problems


def _check_doubles(labelled: list[str], unlabelled: list[str]) -> list[Problem]:
    message = f"{LABELLED_FOLDER} has a picture of the same name"
    doubles = sorted(set(labelled) & set(unlabelled))
    return [Problem("doubled_picture", f"{UNLABELLED_FOLDER}/{name}", None, message, name) for name in doubles]
