"""Run-length encoding, as the competitions write it: "start length …", 1-based, column-major; "" is empty."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.masks.runs import SLACK, UNREADABLE, fill_runs, find_edges, read_runs, write_runs

Shape = tuple[int, int]
Mask = npt.NDArray[np.bool_]
Runs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Starts (0-based) and lengths, in pixels."""


class RleError(ValueError):
    """The text is no RLE of a mask of this shape; the message says what is wrong with it."""


def encode_rle(mask: Mask) -> str:
    """Mask (H×W) → text.

    >>> encode_rle(np.array([[True, False], [True, True]]))
    '1 2 4 1'
    """
    if not mask.any():
        return ""
    edges = find_edges(cv2.transpose(np.ascontiguousarray(mask).view(np.uint8)).ravel())
    text = np.empty(len(edges) * (len(str(mask.size)) + 1) + SLACK, np.uint8)
    return str(text[: write_runs(edges, text)].data, "ascii")


def decode_rle(text: str, shape: Shape) -> Mask:
    """Text → mask (H×W) of this shape; what is out of order raises RleError.

    >>> decode_rle("1 2 4 1", (2, 2)).astype(int)
    array([[1, 0],
           [1, 1]])
    """
    starts, lengths = parse_runs(text, shape)
    if not starts.size:
        return np.zeros(shape, bool)
    pixels = np.zeros(shape[::-1], np.uint8)
    fill_runs(starts, lengths, pixels.ravel())
    return cv2.transpose(pixels).view(bool)


def parse_runs(text: str, shape: Shape) -> Runs:
    """Text → starts (0-based, ascending) and lengths of runs that fit into the shape and do not overlap."""
    if text.isascii():
        letters = np.frombuffer(text.encode("ascii"), np.uint8)
        starts, lengths = np.empty((2, (len(letters) + 1) // 4), np.int64)  # a run takes four letters, '1 1 '
        count = read_runs(letters, shape[0] * shape[1], starts, lengths)
        if count != UNREADABLE:
            return starts[:count], lengths[:count]
    return _parse_unusual(text, shape)


def _parse_unusual(text: str, shape: Shape) -> Runs:
    """As parse_runs, for runs in any order and any whitespace, and to say what is wrong."""
    words = text.split()
    if len(words) % 2:
        raise RleError(f"odd count: {len(words)} numbers, but every run is a start and a length")
    try:
        numbers = np.array(words, dtype=np.int64).reshape(-1, 2)
    except (ValueError, OverflowError):
        word = next(word for word in words if not _is_number(word))
        raise RleError(f"not a number: {word[:40]!r}") from None
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
    starts, lengths = numbers[:, 0] - 1, numbers[:, 1]
    size = shape[0] * shape[1]
    if (lengths < 1).any():
        start, length = numbers[np.argmax(lengths < 1)]
        raise RleError(f"empty run: '{start} {length}'; a length is at least 1")
    # Compared without adding, so that no number is large enough to wrap around.
    outside = (starts < 0) | (lengths > size - starts)
    if outside.any():
        start, length = numbers[np.argmax(outside)]
        raise RleError(f"run out of bounds: '{start} {length}' leaves the {size} pixels of {shape[0]}×{shape[1]}")
    overlapping = starts[1:] < starts[:-1] + lengths[:-1]
    if overlapping.any():
        index = int(np.argmax(overlapping))
        first, second = numbers[index], numbers[index + 1]
        raise RleError(f"overlapping runs: '{first[0]} {first[1]}' and '{second[0]} {second[1]}'")
    return starts, lengths


def _is_number(word: str) -> bool:
    try:
        return -(2**63) <= int(word) < 2**63
    except ValueError:
        return False
