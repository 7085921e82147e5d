"""Run-length encoding (RLE) of the competitions: "start length …", 1-based, column-major; "" is an empty mask."""

import re

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

Shape = tuple[int, int]
Mask = npt.NDArray[np.bool_]
Runs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Starts (0-based) and lengths, in pixels."""
NUMBER = re.compile("-?[0-9]{1,40}")


class RleError(ValueError):
    """The text is not the RLE of a mask of this shape; the message says why."""


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
    """Text → mask (H×W) of this shape; raises RleError.

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
    """Text → starts (0-based, ascending) and lengths of runs, checked for bounds and overlaps; raises RleError."""
    if text.isascii():
        letters = np.frombuffer(text.encode("ascii"), np.uint8)
        starts, lengths = np.empty((2, (len(letters) + 1) // 4), np.int64)  # a run has at least four letters: "1 1 "
        count = read_runs(letters, shape[0] * shape[1], starts, lengths)
        if count != UNREADABLE:
            return starts[:count], lengths[:count]
    return _parse_unusual(text, shape)


def _parse_unusual(text: str, shape: Shape) -> Runs:
    """As parse_runs, but slower: accepts any order and any whitespace, and raises RleError with the reason."""
    words = text.split()
    if len(words) % 2:
        raise RleError(f"odd count: {len(words)} numbers, but every run is a start and a length")
    if wrong := next((word for word in words if not _is_number(word)), ""):
        raise RleError(f"not a number: {wrong[:40]!r}")
    numbers = np.array(words, dtype=np.int64).reshape(-1, 2)
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
    starts, lengths = numbers[:, 0] - 1, numbers[:, 1]
    size = shape[0] * shape[1]
    if (lengths < 1).any():
        start, length = numbers[np.argmax(lengths < 1)]
        raise RleError(f"empty run: '{start} {length}'; a length is at least 1")
    # "length > size - start" instead of "start + length > size", which could overflow.
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
    """Whether a word is digits, maybe after a minus. Python reads more: 1_0, +1, and the digits of every script."""
    return bool(NUMBER.fullmatch(word)) and -(2**63) <= int(word) < 2**63


SPACE, ZERO = 32, 48
LONGEST_NUMBER = 18
"""A number with this many digits fits into an int64."""
UNREADABLE = -1
ZEROS, ONES = np.uint64(0), np.uint64(0x0101010101010101)
"""Eight pixels in a 64-bit word."""
SLACK = 8
"""`write_runs` writes eight digits at a time, so it may touch this many bytes after its text."""
TEN, HUNDRED, TEN_THOUSAND, EIGHT_DIGITS = (np.uint64(10**power) for power in (1, 2, 4, 8))
HALVES, QUARTERS = np.uint64(0x0000007F_0000007F), np.uint64(0x000F_000F_000F_000F)
DIGITS = np.uint64(0x30303030_30303030)
ONE, BYTE = np.uint64(1), np.uint64(8)


@njit(cache=True, nogil=True)
def find_edges(pixels):  # type: ignore[no-untyped-def]
    """Flat pixels → starts and ends of the runs of ones, in turn: 0 1 1 0 1 → 1 3 4 5."""
    words = pixels[: len(pixels) // 8 * 8].view(np.uint64)
    edges, count = np.empty(len(pixels) + 2, np.int64), 0
    last = np.uint8(0)
    for word in range(len(words)):
        # Skip eight equal pixels at once; in drawn masks nearly all are equal.
        if words[word] == (ONES if last else ZEROS):
            continue
        for index in range(8 * word, 8 * word + 8):
            # Write always, advance only at a change: no branch, which would be slow on noisy masks.
            edges[count] = index
            count += pixels[index] != last
            last = pixels[index]
    for index in range(8 * len(words), len(pixels)):
        edges[count] = index
        count += pixels[index] != last
        last = pixels[index]
    edges[count] = len(pixels)
    return edges[: count + last]


@njit(cache=True, nogil=True)
def write_runs(edges, text):  # type: ignore[no-untyped-def]
    """Write edges as "start length …" into text (ASCII bytes, with SLACK); returns the number of bytes."""
    position = ZEROS
    for index in range(0, len(edges), 2):
        position = _write_number(text, position, np.uint64(edges[index] + 1))
        position = _write_number(text, position, np.uint64(edges[index + 1] - edges[index]))
    return max(0, np.int64(position) - 1)  # without the last space


@njit(cache=True, nogil=True)
def _write_number(text, position, number):  # type: ignore[no-untyped-def]
    """All numbers are unsigned: they divide faster, and numba turns a mix with signed numbers into floats."""
    if number >= EIGHT_DIGITS:
        position = _write_digits(text, position, number // EIGHT_DIGITS, ONE) + BYTE
        _write_digits(text, position - BYTE, number % EIGHT_DIGITS, BYTE)
    else:
        position = _write_digits(text, position, number, ONE)
    text[position] = SPACE
    return position + ONE


@njit(cache=True, nogil=True)
def _write_digits(text, position, number, least):  # type: ignore[no-untyped-def]
    """Write a number below 100 000 000 with at least `least` digits; returns the position after them.

    The bytes up to the eighth may be overwritten.
    """
    length, limit = least, TEN
    while length < BYTE and number >= limit:
        length, limit = length + ONE, TEN * limit
    digits = (_spell(number) | DIGITS) >> (BYTE * (BYTE - length))
    for place in range(8):
        text[position + np.uint64(place)] = np.uint8(digits >> np.uint64(8 * place))
    return position + length


@njit(cache=True, nogil=True)
def _spell(number):  # type: ignore[no-untyped-def]
    """The eight decimal digits of a number as the bytes of a word, first digit lowest: 1234 → 0x04030201_00000000.

    All digits are computed together: 8 digits → 2×4 → 4×2 → 8×1. Below 10 000, x · 10486 >> 20 equals x // 100; below
    100, x · 103 >> 10 equals x // 10.
    """
    high = number // TEN_THOUSAND
    word = high | ((number - TEN_THOUSAND * high) << np.uint64(32))
    high = ((word * np.uint64(10486)) >> np.uint64(20)) & HALVES
    four = high | ((word - HUNDRED * high) << np.uint64(16))
    high = ((four * np.uint64(103)) >> np.uint64(10)) & QUARTERS
    return high | ((four - TEN * high) << BYTE)


@njit(cache=True, nogil=True)
def read_runs(text, size, starts, lengths):  # type: ignore[no-untyped-def]
    """Read text (ASCII bytes) into starts (0-based) and lengths; returns the number of runs, or UNREADABLE.

    Only texts as `write_runs` writes them are readable, with any number of spaces.
    """
    count, free = 0, 0  # number of runs, and the first pixel after them
    start = -1  # start of a run whose length comes next; -1: none
    position = 0
    while position < len(text):
        if text[position] == SPACE:
            position += 1
            continue
        begin, number = position, 0
        while position < len(text) and ZERO <= text[position] <= ZERO + 9:
            number = 10 * number + (text[position] - ZERO)
            position += 1
        if position == begin or position - begin > LONGEST_NUMBER:
            return UNREADABLE
        if position < len(text) and text[position] != SPACE:
            return UNREADABLE
        if start < 0:
            start = number - 1
            if start < free:
                return UNREADABLE
        else:
            if number < 1 or number > size - start:
                return UNREADABLE
            starts[count], lengths[count] = start, number
            count, free, start = count + 1, start + number, -1
    return count if start < 0 else UNREADABLE


@njit(cache=True, nogil=True)
def fill_runs(starts, lengths, pixels):  # type: ignore[no-untyped-def]
    """Set the pixels of the runs to 1; other pixels stay."""
    for index in range(len(starts)):
        pixels[starts[index] : starts[index] + lengths[index]] = 1
