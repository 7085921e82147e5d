"""Opinions: what single scientists drew, and which of them stand behind a picture's labels.

The labels of a picture are the union of what some three scientists drew. Their single boxes are published too, but by
other file names. A picture finds its own all the same: they lie inside its labels, and cover more of them than those
of any other file.
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
"""Every so many pixels one is compared, to find the few files worth a closer look."""
LOOKED_AT = 4
LOOSELY = 0.9
"""INSIDE, of the coarse pixels."""
ROWS = 256
"""Pictures compared at once."""
INSIDE = 0.985
"""Share of what is drawn that has to lie in the labels, where both can be seen."""
COVERED = 0.4
"""Share of the labels that has to be drawn: who drew the rest may not be among the published."""
AHEAD = 0.2
"""By which the best file has to cover more than the next."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Opinions:
    classes: tuple[str, ...]
    boxes: pd.DataFrame
    """file, opinion (a number of its own for each scientist's look at a file), class_index (-1: nothing drawn), and
    x1, y1, x2, y2 in shares of the picture, the ends past the last pixel"""

    @classmethod
    def read(cls, path: Path, classes: Sequence[str], frame: Shape) -> Self:
        """A CSV of boxes in pixels of this frame, both ends in it. Rows of a file that follow each other are one
        scientist's; one without a label says that there is nothing."""
        table = pd.read_csv(path)
        if missing := [name for name in COLUMNS if name not in table]:
            raise UserError(f"{path}: no column {', '.join(missing)}; expected: {', '.join(COLUMNS)}")
        if unknown := sorted(set(table["label"].dropna()) - set(classes)):
            raise UserError(f"{path}: label {unknown[0]!r}; known: {', '.join(classes)}")
        if not table["label"].notna().any():
            raise UserError(f"{path}: no row with a label; nothing tells which pictures its files are")
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
        """By file: `asked`, how many scientists looked, and how many of them drew each class."""
        drawn = {name: self.boxes["class_index"] == index for index, name in enumerate(self.classes)}
        each = pd.DataFrame(drawn).groupby(self.boxes["opinion"]).any()
        files = self.boxes.groupby("opinion")["file"].first()
        return each.groupby(files).sum().assign(asked=files.value_counts())

    def drawings(self) -> dict[str, "Drawing"]:
        """What scientists drew on each file, where any drew something."""
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
    """K×4: top, bottom, left, right in shares of the picture"""

    def masks(self, shape: Shape) -> Bools:
        """C×H×W: where any scientist drew each class."""
        height, width = shape
        drawn = np.zeros((self.class_count, *shape), bool)
        ends = np.round(self.places * [height, height, width, width]).astype(int)
        for index, (top, bottom, left, right) in zip(self.class_indices, ends, strict=True):
            drawn[index, top:bottom, left:right] = True
        return drawn


def find_files(opinions: Opinions, cache: Cache, *, mirrored: bool = False) -> list[str]:
    """The file of opinions behind each picture of the cache, "" where none can be told.

    Mirrored, no picture can have one: what is found then is found by chance.
    """
    shape: Shape = cache.truth.shape[1:]  # type: ignore[assignment]
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
    """Of each picture, the few drawings that cover its labels most, as far as every COARSE pixels tell."""
    coarse = np.s_[..., COARSE // 2 :: COARSE, COARSE // 2 :: COARSE]
    shape: Shape = cache.truth.shape[1:]  # type: ignore[assignment]
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
    """Share of the labels that is drawn; 0 where something is drawn outside of them."""
    common, seen = np.count_nonzero(drawn & truth), np.count_nonzero(drawn)
    return common / np.count_nonzero(truth) if seen and common >= INSIDE * seen else 0.0


def _settle(claims: list[tuple[float, int, str]], count: int) -> list[str]:
    """A file belongs to one picture: to the one whose labels it covers most."""
    files, taken = [""] * count, set()
    for _, row, file in sorted(claims, reverse=True):
        if file not in taken:
            files[row] = file
            taken.add(file)
    return files
