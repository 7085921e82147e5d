"""Near duplicates: pictures that show the same, found by a perceptual hash, so that no two splits share one."""

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
BLOCK = 512  # hashes compared with all others at once: 40 MB for 10,000 pictures


def group_duplicates(images: npt.NDArray[np.uint8], distance: int) -> npt.NDArray[np.int64]:
    """Images (N×H×W×3) → a group per image (N); hashes at most so many bits apart share one. -1: all alone."""
    if distance < 0:
        return np.arange(len(images))
    return group_hashes(np.array([hash_image(image) for image in images], np.uint64), distance)


def hash_image(image: Image) -> int:
    """Image (H×W×3) → 64 bits: which of its lowest frequencies lie above their median.

    Size, compression and brightness leave it as it is. The black strip between two orbits is only a part of what
    it sees: no two different pictures of the clouds data set come closer than 6 bits, strip or not.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GREY_SIZE, GREY_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:FREQUENCIES, :FREQUENCIES].ravel()
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes())


def group_hashes(hashes: Hashes, distance: int) -> npt.NDArray[np.int64]:
    """Hashes (N) → group (N), 0 upwards; what is close to a member belongs to the group."""
    pairs = []
    for start in range(0, len(hashes), BLOCK):
        distances = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None])
        pairs.append(np.argwhere(distances <= distance) + np.array([start, 0]))
    rows, columns = np.concatenate(pairs).T
    graph = csr_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(hashes), len(hashes)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


class SplitError(UserError):
    """The pictures cannot be divided as asked; the message says what is short."""


@dataclass(frozen=True)
class Splits:
    split: npt.NDArray[np.str_]
    """train, validation or holdout, per picture."""
    fold: npt.NDArray[np.int64]
    """0 upwards for the folds that are held out from a member; -1: none."""


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
    """Labelled pictures (N), their presence (N×C) and their groups (N) → splits.

    The holdout is chosen first, from seed and pictures alone, so it is the same with and without folds; and so are the
    folds, however many of them are held out.
    """
    line = _line_up(image_ids, presence, groups, seed)
    split = np.full(len(image_ids), "train", dtype="<U10")
    fold = np.full(len(image_ids), -1, np.int64)
    # The pool is to be divided again, whether in two or in folds: the same least for both keeps the holdout the same.
    holdout, pool = _divide(line, {"holdout": holdout_share, "train and validation": 1 - holdout_share}, least=(1, 2))
    split[_rows(holdout)] = "holdout"
    if folds:
        shares = {f"fold {index}": 1 / folds for index in range(folds)}
        for index, part in enumerate(_divide(pool, shares, least=(1,) * folds)[:held_out]):
            fold[_rows(part)] = index
    else:
        # Where the holdout was rounded up, validation may ask for all that is left, and train for a group all the same.
        share = min(validation_share * len(image_ids) / len(_rows(pool)), 1 - 1e-9)
        validation, _ = _divide(pool, {"validation": share, "train": 1 - share}, least=(1, 1))
        split[_rows(validation)] = "validation"
    return Splits(split, fold)


def _line_up(
    image_ids: Sequence[str], presence: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], seed: int
) -> list[_Group]:
    """The order depends on names and seed, not on the order of the rows."""
    orders = [hashlib.blake2b(f"{seed}/{image_id}".encode(), digest_size=16).digest() for image_id in image_ids]
    members: dict[int, list[int]] = {}
    for row in sorted(range(len(orders)), key=orders.__getitem__):
        members.setdefault(int(groups[row]), []).append(row)
    # A group stands where its first member does.
    line = [_Group(presence[rows[0]].tobytes(), orders[rows[0]], rows) for rows in members.values()]
    return sorted(line, key=lambda group: (group.pattern, group.order))


def _divide(line: list[_Group], shares: dict[str, float], least: tuple[int, ...]) -> list[list[_Group]]:
    """The groups in line → one part per share; where a share is above 0, its part has at least so many groups."""
    wanted = np.array(list(shares.values()))
    missing = np.where(wanted > 0, least, 0)
    _check_enough(line, [name for name, share in shares.items() if share > 0], int(missing.sum()))
    counts = np.zeros(len(wanted))
    parts: list[list[_Group]] = [[] for _ in shares]
    for index, group in enumerate(line):
        lag = wanted * (counts.sum() + len(group.rows)) - counts
        # The last groups in line are for the parts that would go short.
        open_parts = missing > 0 if len(line) - index <= missing.sum() else wanted > 0
        chosen = int(np.argmax(np.where(open_parts, lag, -np.inf)))
        parts[chosen].append(group)
        counts[chosen] += len(group.rows)
        missing[chosen] = max(0, missing[chosen] - 1)
    return parts


def _check_enough(line: list[_Group], names: list[str], least: int) -> None:
    if len(line) < least:
        pictures = sum(len(group.rows) for group in line)
        raise SplitError(
            f"{pictures} labelled picture(s) in {len(line)} group(s) of near duplicates are too few for "
            f"{', '.join(names)}: {least} groups are needed; give more pictures, or change holdout_share, "
            "validation_share, folds or duplicate_distance of prepare"
        )


def _rows(part: list[_Group]) -> list[int]:
    return [row for group in part for row in group.rows]
