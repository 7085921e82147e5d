"""The compiled half of RLE: runs of pixels found, written, read and filled.

Pixels are flat here, uint8 of 0 and 1, and contiguous; whoever calls decides in which order they go.
"""

import numpy as np
from numba import njit

SPACE, ZERO = 32, 48
TEN, ZERO_TOO = np.uint64(10), np.uint64(ZERO)
"""Unsigned, since that divides faster; mixed with signed numbers it would turn into floats."""
LONGEST_NUMBER = 18
"""Digits that surely fit into an int64."""
UNREADABLE = -1
ZEROS, ONES = np.uint64(0), np.uint64(0x0101010101010101)
"""Eight pixels in one word."""


@njit(cache=True, nogil=True)
def find_edges(pixels):  # type: ignore[no-untyped-def]
    """Where runs of ones begin and end, in turns: 0 1 1 0 1 → 1 3 4 5."""
    words = pixels[: len(pixels) // 8 * 8].view(np.uint64)
    edges, count = np.empty(len(pixels) + 2, np.int64), 0
    last = np.uint8(0)
    for word in range(len(words)):
        # Eight at a time where nothing changes, which is nearly everywhere in a drawn mask.
        if words[word] == (ONES if last else ZEROS):
            continue
        for index in range(8 * word, 8 * word + 8):
            # Noted always and kept only at a change: no branch, which noise would make unpredictable.
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
    """Write edges as "start length …" into text (ASCII); returns how many bytes that took."""
    position = 0
    for index in range(0, len(edges), 2):
        position = _write_number(text, position, edges[index] + 1)
        position = _write_number(text, position, edges[index + 1] - edges[index])
    return max(0, position - 1)  # without the last space


@njit(cache=True, nogil=True)
def _write_number(text, position, number):  # type: ignore[no-untyped-def]
    if number < 10:
        text[position], text[position + 1] = ZERO + number, SPACE
        return position + 2
    end, limit = position + 2, 100
    while number >= limit:
        end, limit = end + 1, 10 * limit
    text[end] = SPACE
    rest = np.uint64(number)
    for place in range(end - 1, position - 1, -1):
        shorter = rest // TEN
        text[place] = ZERO_TOO + (rest - TEN * shorter)
        rest = shorter
    return end + 1


@njit(cache=True, nogil=True)
def read_runs(text, size, starts, lengths):  # type: ignore[no-untyped-def]
    """Read text (ASCII) into starts (0-based) and lengths; returns how many runs, or UNREADABLE.

    Readable is only what `write_runs` might have written, with any number of spaces.
    """
    count, free = 0, 0  # runs so far, and the first pixel after them
    start = -1  # of a run whose length is still to come
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
    """Write ones over the runs; the rest of pixels stays."""
    for index in range(len(starts)):
        pixels[starts[index] : starts[index] + lengths[index]] = 1
