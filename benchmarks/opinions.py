"""The boxes of single scientists, and which of them belong to which image.

The labels of an image are the union of the boxes of about three scientists. The single boxes are published under other
file names. They are matched by overlap: the boxes of an image lie inside its labels, and cover more of them than the
boxes of any other file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.cache import Cache
from nephoscope.errors import UserError
from nephoscope.masks.geometry import from_planes
from nephoscope.masks.rle import Shape

COLUMNS = ["file", "x1", "y1", "x2", "y2", "label"]
COARSE = 6
"""Step in pixels of the coarse comparison that selects the files for the exact one."""
LOOKED_AT = 4
"""Number of files for the exact comparison."""
LOOSELY = 0.9
"""As INSIDE, for the coarse comparison."""
ROWS = 256
"""Images compared at once."""
INSIDE = 0.985
"""Minimum share of the visible drawn pixels inside the labels."""
COVERED = 0.4
"""Minimum share of the labels that is drawn. Not all scientists are published, so it is below 1."""
AHEAD = 0.2
"""Minimum lead of the best file over the next, as a share of the labels."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Opinions:
    classes: tuple[str, ...]
    boxes: pd.DataFrame
    """Columns: file, opinion (a number per scientist and file), class_index (-1: nothing drawn), and x1, y1, x2, y2 as
    shares of the image; x2 and y2 are exclusive."""

    @classmethod
    def read(cls, path: Path, classes: Sequence[str], frame: Shape) -> Self:
        """Read a CSV of boxes in pixels of an image with this shape, ends included.

        Consecutive rows of a file belong to one scientist. A row without a label means that the scientist drew nothing.
        """
        table = pd.read_csv(path)
        if missing := [name for name in COLUMNS if name not in table]:
            raise UserError(f"{path}: no column {', '.join(missing)}; expected: {', '.join(COLUMNS)}")
        if unknown := sorted(set(table["label"].dropna()) - set(classes)):
            raise UserError(f"{path}: label {unknown[0]!r}; known: {', '.join(classes)}")
        if not table["label"].notna().any():
            raise UserError(f"{path}: no row has a label, so no file can be matched with an image")
        height, width = frame
        boxes = pd.DataFrame({
            "file": table["file"],
            "opinion": (table["file"] != table["file"].shift()).cumsum(),
            "class_index": pd.Categorical(table["label"], categories=list(classes)).codes,
            "x1": table["x1"] / width,
            "y1": table["y1"] / height,
            "x2": (table["x2"] + 1) / width,
            "y2": (table["y2"] + 1) / height,
        })  # fmt: skip
        return cls(tuple(classes), boxes)

    @cached_property
    def votes(self) -> pd.DataFrame:
        """Per file: `asked`, the number of scientists, and per class the number of those who drew it."""
        drawn = {name: self.boxes["class_index"] == index for index, name in enumerate(self.classes)}
        opinions = pd.DataFrame(drawn).groupby(self.boxes["opinion"]).any()
        files = self.boxes.groupby("opinion")["file"].first()
        return opinions.groupby(files).sum().assign(asked=files.value_counts())

    def drawings(self) -> dict[str, "Drawing"]:
        """File → all boxes drawn on it; files without boxes are missing."""
        places = ["y1", "y2", "x1", "x2"]
        drawn = self.boxes[self.boxes["class_index"] >= 0]
        return {
            str(file): Drawing(len(self.classes), boxes["class_index"].to_numpy(), boxes[places].to_numpy())
            for file, boxes in drawn.groupby("file")
        }


@dataclass(frozen=True)
class Drawing:
    class_count: int
    class_indices: npt.NDArray[np.integer]
    places: npt.NDArray[np.floating]
    """K×4: top, bottom, left, right as shares of the image"""

    def masks(self, shape: Shape) -> Bools:
        """C×H×W: where any scientist drew each class."""
        height, width = shape
        drawn = np.zeros((self.class_count, *shape), bool)
        ends = np.round(self.places * [height, height, width, width]).astype(int)
        for index, (top, bottom, left, right) in zip(self.class_indices, ends, strict=True):
            drawn[index, top:bottom, left:right] = True
        return drawn


def find_files(opinions: Opinions, cache: Cache, *, mirrored: bool = False) -> list[str]:
    """The file whose boxes belong to each image of the cache; "" if none fits well enough.

    With `mirrored`, no image has a true match, so the matches that remain are by chance.
    """
    shape: Shape = cache.truth.shape[1:]
    turn = np.s_[..., ::-1] if mirrored else np.s_[...]
    drawings = opinions.drawings()
    files = list(drawings)
    claims: list[tuple[float, int, str]] = []
    for row, likely in enumerate(_likely(list(drawings.values()), cache, turn)):
        truth, visible = from_planes(cache.truth[row], len(opinions.classes))[turn], cache.visible[row][turn]
        covers = {files[index]: _cover(drawings[files[index]].masks(shape) & visible, truth) for index in likely}
        best, second = (*sorted(covers.values(), reverse=True), 0.0, 0.0)[:2]
        if best >= COVERED and best - second >= AHEAD:
            claims.append((best, row, max(covers, key=lambda file: covers[file])))
    return _settle(claims, len(cache.truth))


def _likely(drawings: list[Drawing], cache: Cache, turn: Any) -> Iterator[npt.NDArray[np.int64]]:
    """For each image, the indices of the few drawings that cover its labels most, by the coarse comparison."""
    coarse = np.s_[..., COARSE // 2 :: COARSE, COARSE // 2 :: COARSE]
    shape: Shape = cache.truth.shape[1:]
    count = drawings[0].class_count
    drawn = np.stack([drawing.masks(shape)[coarse] for drawing in drawings]).astype(np.float32)
    drawn = drawn.reshape(len(drawings), count, -1)
    for begin in range(0, len(cache.truth), ROWS):
        rows = np.s_[begin : begin + ROWS]
        truth = from_planes(cache.truth[rows][coarse][turn], count).astype(np.float32).reshape(-1, *drawn.shape[1:])
        visible = cache.visible[rows][coarse][turn].astype(np.float32).reshape(len(truth), -1)
        common = sum(truth[:, index] @ drawn[:, index].T for index in range(count))
        seen = sum(visible @ drawn[:, index].T for index in range(count))
        covers = np.where(common >= LOOSELY * np.maximum(seen, 1), common, 0)
        best = np.argsort(-covers, axis=1)[:, :LOOKED_AT]
        yield from (order[covers[row, order] > 0] for row, order in enumerate(best))


def _cover(drawn: Bools, truth: Bools) -> float:
    """Share of the labels that is drawn; 0 if too much is drawn outside of them."""
    common, seen = np.count_nonzero(drawn & truth), np.count_nonzero(drawn)
    return common / np.count_nonzero(truth) if seen and common >= INSIDE * seen else 0.0


def _settle(claims: list[tuple[float, int, str]], count: int) -> list[str]:
    """Give each file to one image: the one whose labels it covers most."""
    files, taken = [""] * count, set()
    for _, row, file in sorted(claims, reverse=True):
        if file not in taken:
            files[row] = file
            taken.add(file)
    return files
