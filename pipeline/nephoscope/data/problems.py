"""Faults: everything a person can get wrong in a data set, collected first and reported at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import pandas as pd

from nephoscope.data.formats.definition import UNLABELLED_FOLDER
from nephoscope.errors import Mendable
from nephoscope.files import writing
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

FaultKind = Literal[
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
class Fault:
    kind: FaultKind
    file: str
    """Relative to the data set's root."""
    row: int | None
    """Line of the CSV as an editor counts it; None where the fault is not in a CSV."""
    message: str
    image_id: str | None = None
    """The picture that is to be set aside for it; None: nothing can be set aside, the data set is refused."""

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        return f"{place}: {self.kind}: {self.message}"


class DataFaults(Mendable):
    """The data set has faults; the message lists the first of them, counts them, and names the way out."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        lines = [f"{len(faults)} fault(s) in the data set:", *(f"  {fault}" for fault in faults[:SHOWN])]
        if len(faults) > SHOWN:
            counts = Counter(fault.kind for fault in faults)
            lines.append(f"  … and {len(faults) - SHOWN} more; all, by kind:")
            lines += [f"  {count:7} {kind}" for kind, count in counts.most_common()]
        super().__init__("\n".join([*lines, self._way_out()]))

    def _way_out(self) -> str:
        if any(fault.image_id is None for fault in self.faults):
            return "Correct what prepare.root and prepare.format point at."
        return "Correct them, or set prepare.faults to set_aside: these pictures are then left out and listed."


def faulty_images(faults: list[Fault], choice: Literal["refuse", "set_aside"]) -> set[str]:
    """The image_ids to leave out; raises DataFaults where the choice, or a fault of the whole, refuses."""
    if faults and (choice == "refuse" or any(fault.image_id is None for fault in faults)):
        raise DataFaults(faults)
    return {fault.image_id for fault in faults if fault.image_id is not None}


def unlabelled_faults(faults: list[Fault]) -> set[str]:
    """Those of them that are pictures without labels."""
    return {str(fault.image_id) for fault in faults if _is_unlabelled(fault.file)}


def _is_unlabelled(file: str) -> bool:
    return file.startswith(f"{UNLABELLED_FOLDER}/")


@contextmanager
def recording(path: Path) -> Iterator[list[Fault]]:
    """Lend a list for faults; it is written as a table at the end, also when the data set was refused."""
    faults: list[Fault] = []
    try:
        yield faults
    finally:
        write_faults(faults, path)


def read_unlabelled(path: Path) -> list[str]:
    """Of the pictures that were set aside, those without labels, sorted; of none of the others is a row expected."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    unlabelled = table.loc[table["file"].map(_is_unlabelled).astype(bool), "image_id"]
    return sorted(set(unlabelled) - {""})


def write_faults(faults: list[Fault], path: Path) -> None:
    table = pd.DataFrame([asdict(fault) for fault in faults], columns=[field.name for field in fields(Fault)])
    with writing(path) as unfinished:
        table.astype({"row": "Int64"}).to_csv(unfinished, index=False)


ASPECT_TOLERANCE = 0.02


def check_picture(image: Image, rle_shape: Shape, file: str, image_id: str) -> Fault | None:
    """The fault of an image (H×W×3), if it has one."""
    height, width = image.shape[:2]
    aspect, expected = width / height, rle_shape[1] / rle_shape[0]
    if abs(aspect / expected - 1) > ASPECT_TOLERANCE:
        message = f"{height}×{width} has the aspect {aspect:.3f}; masks of {rle_shape[0]}×{rle_shape[1]} {expected:.3f}"
        return Fault("wrong_aspect", file, None, message, image_id)
    return None
