"""Splits of the labelled images: stratified, reproducible, and with near duplicates on the same side."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image

Hashes = npt.NDArray[np.uint64]
GREY_SIZE = 32
FREQUENCIES = 8
BLOCK = 512  # hashes that are compared with all others at once: 40 MB for 10,000 images


def group_duplicates(images: npt.NDArray[np.uint8], distance: int) -> npt.NDArray[np.int64]:
    """Images (N×H×W×3) → group (N). Hashes that differ in at most `distance` bits share a group; -1: off."""
    if distance < 0:
        return np.arange(len(images))
    return group_hashes(np.array([hash_image(image) for image in images], np.uint64), distance)


def hash_image(image: Image) -> int:
    """Image (H×W×3) → perceptual hash of 64 bits: which of the lowest frequencies lie above their median.

    It hardly changes with size, compression and brightness. Different images of the clouds data set differ in at least
    6 bits, even if they share a black strip.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GREY_SIZE, GREY_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:FREQUENCIES, :FREQUENCIES].ravel()
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes())


def group_hashes(hashes: Hashes, distance: int) -> npt.NDArray[np.int64]:
    """Hashes (N) → group (N), from 0. A hash close to any member belongs to the group."""
    pairs = []
    for start in range(0, len(hashes), BLOCK):
        distances = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None])
        pairs.append(np.argwhere(distances <= distance) + np.array([start, 0]))
    rows, columns = np.concatenate(pairs).T
    graph = csr_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(hashes), len(hashes)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


class SplitError(UserError):
    """The images cannot be divided as the settings demand."""


@dataclass(frozen=True)
class Splits:
    split: npt.NDArray[np.str_]
    """train, validation or holdout, per image."""
    fold: npt.NDArray[np.int64]
    """Number of the held-out fold, from 0; -1: none."""


@dataclass(frozen=True)
class _Group:
    pattern: bytes
    order: bytes
    rows: list[int]


def split_images(
    image_ids: Sequence[str],
    presence: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.int64],
    *,
    validation_share: float,
    holdout_share: float,
    folds: int,
    held_out: int,
    seed: int,
) -> Splits:
    """Labelled images (N), their presence (N×C) and groups of near duplicates (N) → splits.

    The holdout is the same with and without folds. The folds are the same for any `held_out`.
    """
    line = _line_up(image_ids, presence, groups, seed)
    split = np.full(len(image_ids), "train", dtype="<U10")
    fold = np.full(len(image_ids), -1, np.int64)
    # The pool needs at least two groups, with and without folds, so that the holdout is the same.
    holdout, pool = _divide(line, {"holdout": holdout_share, "train and validation": 1 - holdout_share}, least=(1, 2))
    split[_rows(holdout)] = "holdout"
    if folds:
        shares = {f"fold {index}": 1 / folds for index in range(folds)}
        for index, part in enumerate(_divide(pool, shares, least=(1,) * folds)[:held_out]):
            fold[_rows(part)] = index
    else:
        # If the holdout was rounded up, the share could reach 1 and leave nothing for train.
        share = min(validation_share * len(image_ids) / len(_rows(pool)), 1 - 1e-9)
        validation, _ = _divide(pool, {"validation": share, "train": 1 - share}, least=(1, 1))
        split[_rows(validation)] = "validation"
    return Splits(split, fold)


def _line_up(
    image_ids: Sequence[str], presence: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], seed: int
) -> list[_Group]:
    """Groups sorted by presence pattern, then in a random order that depends on names and seed only."""
    orders = [hashlib.blake2b(f"{seed}/{image_id}".encode(), digest_size=16).digest() for image_id in image_ids]
    members: dict[int, list[int]] = {}
    for row in sorted(range(len(orders)), key=orders.__getitem__):
        members.setdefault(int(groups[row]), []).append(row)
    # The first member decides the position of a group.
    line = [_Group(presence[rows[0]].tobytes(), orders[rows[0]], rows) for rows in members.values()]
    return sorted(line, key=lambda group: (group.pattern, group.order))


def _divide(line: list[_Group], shares: dict[str, float], least: tuple[int, ...]) -> list[list[_Group]]:
    """Groups → one part per share. A part with a share above 0 gets at least `least` groups."""
    wanted = np.array(list(shares.values()))
    missing = np.where(wanted > 0, least, 0)
    _check_enough(line, [name for name, share in shares.items() if share > 0], int(missing.sum()))
    counts = np.zeros(len(wanted))
    parts: list[list[_Group]] = [[] for _ in shares]
    for index, group in enumerate(line):
        lag = wanted * (counts.sum() + len(group.rows)) - counts
        # The last groups are reserved for parts that have too few.
        open_parts = missing > 0 if len(line) - index <= missing.sum() else wanted > 0
        chosen = int(np.argmax(np.where(open_parts, lag, -np.inf)))
        parts[chosen].append(group)
        counts[chosen] += len(group.rows)
        missing[chosen] = max(0, missing[chosen] - 1)
    return parts


def _check_enough(line: list[_Group], names: list[str], least: int) -> None:
    if len(line) < least:
        image_count = sum(len(group.rows) for group in line)
        raise SplitError(
            f"{image_count} labelled image(s) in {len(line)} group(s) of near duplicates are too few for "
            f"{', '.join(names)}, which need {least} groups; add images, or change holdout_share, validation_share, "
            "folds or duplicate_distance of prepare"
        )


def _rows(part: list[_Group]) -> list[int]:
    return [row for group in part for row in group.rows]
