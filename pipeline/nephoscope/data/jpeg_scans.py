"""Following the compressed data of a JPEG's scan from block to block, without computing pixels.

`words` has for each byte of the data the 32 bits from there on. Positions are counted in bits. Tables have the layout
LAYOUT, a row each. No function reads further than 512 bytes after the last end. Numbers of positions are unsigned,
because numba checks signed ones for a place counted from the end.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

SOUND, EARLY, LATE, IMPOSSIBLE = range(4)
"""What a scan is: the data end with the last block; before it; after it; or they hold what no encoder writes."""


class Layout(NamedTuple):
    """Places in a Huffman table."""

    quick_bits: int
    """The first 2^quick_bits entries: next bits → 256 · length + value of the code; 0 if the code is longer."""
    end: int
    """end + length → the first code of this length that is not used"""
    offset: int
    """offset + length → what a code of this length needs to become the index of its value"""
    values: int
    size: int


LAYOUT = Layout(9, 512, 529, 546, 802)
END, OFFSET, VALUES = LAYOUT[1:4]
QUICK_SHIFT, HALF_WORD = np.uint32(32 - LAYOUT.quick_bits), np.uint32(16)
LONGEST_CODE = 16
ZERO_RUN = 15
"""Run that stands for 16 zeros if no value follows; smaller ones end a block or a band."""
NO_CODE, NOWHERE = np.int32(0), np.uint64(0)
"""What stands for a failure: no code is 0, and no position after a code is 0."""
ZERO, ONE, THREE, SEVEN = (np.uint64(number) for number in (0, 1, 3, 7))
LONG_BLOCK = 96
"""Bits of a block that cannot all be zero: with usual tables it would have 63 coefficients of −1. A hole in a file is
read as such blocks."""


@njit(cache=True, nogil=True)
def make_words(data):  # type: ignore[no-untyped-def]
    words = np.empty(len(data) - 3, np.uint32)
    word = np.uint32(0)
    for place in range(3):
        word = np.uint32((word << np.uint32(8)) | np.uint32(data[place]))
    for place in range(len(words)):
        word = np.uint32((word << np.uint32(8)) | np.uint32(data[place + 3]))
        words[place] = word
    return words


@njit(cache=True, nogil=True)
def _next_bits(words, bit):  # type: ignore[no-untyped-def]
    """At least 25 bits, in the upper part of 32."""
    return np.uint32(words[bit >> THREE] << np.uint32(bit & SEVEN))


@njit(cache=True, nogil=True)
def _next_code(words, bit, tables, row):  # type: ignore[no-untyped-def]
    """The code that begins at a bit → 256 · length + value, or NO_CODE."""
    bits = _next_bits(words, bit)
    entry = tables[row, bits >> QUICK_SHIFT]
    if entry:
        return entry
    half = np.int64(bits >> HALF_WORD)
    for length in range(LAYOUT.quick_bits + 1, LONGEST_CODE + 1):
        code = half >> (LONGEST_CODE - length)
        if code < tables[row, END + length]:
            index = code + tables[row, OFFSET + length]
            return np.int32(length << 8 | tables[row, VALUES + index]) if 0 <= index < 256 else NO_CODE
    return NO_CODE


@njit(cache=True, nogil=True)
def follow_blocks(words, ends, units, order, dc_tables, ac_tables, most, whole, spare):  # type: ignore[no-untyped-def]
    """Blocks whose first coefficient is new.

    `order`: component of each block of a unit. `most`: largest first coefficient of each component.
    `whole`: blocks have all their coefficients.
    """
    bit = ZERO
    for part in range(len(ends)):
        end = np.uint64(8 * ends[part])
        levels = np.zeros(len(most), np.int64)
        for _ in range(units[part]):
            for component in order:
                start = bit
                entry = _next_code(words, bit, dc_tables, component)
                bit += np.uint64(entry >> 8)
                levels[component] += _read_number(words, bit, entry & 15)
                if entry == NO_CODE or abs(levels[component]) > most[component]:
                    return IMPOSSIBLE
                bit += np.uint64(entry & 15)
                if whole:
                    bit = _skip_coefficients(words, bit, ac_tables, component)
                    if bit == NOWHERE or (bit - start >= LONG_BLOCK and _is_hole(words, start, bit)):
                        return IMPOSSIBLE
                if bit > end:
                    return EARLY
        if end - bit >= 8 * (1 + (spare if part + 1 == len(ends) else 0)):
            return LATE
        bit = end
    return SOUND


@njit(cache=True, nogil=True)
def _read_number(words, bit, size):  # type: ignore[no-untyped-def]
    """A number of `size` bits; those that begin with 0 are negative."""
    if size == 0:
        return 0
    number = np.int64(_next_bits(words, bit) >> np.uint32(32 - size))
    return number if number >> (size - 1) else number - (1 << size) + 1


@njit(cache=True, nogil=True)
def _skip_coefficients(words, bit, tables, row):  # type: ignore[no-untyped-def]
    """The first bit after the coefficients 1 to 63 of a block, or NOWHERE."""
    index = 1
    while index < 64:
        entry = _next_code(words, bit, tables, row)
        if entry == NO_CODE:
            return NOWHERE
        run, size = (entry >> 4) & 15, entry & 15
        bit += np.uint64((entry >> 8) + size)
        if size == 0:
            if run != ZERO_RUN:
                return bit
            index += 16
        else:
            index += run + 1
            if index > 64:
                return NOWHERE
    return bit


@njit(cache=True, nogil=True)
def _is_hole(words, start, stop):  # type: ignore[no-untyped-def]
    """Whether all whole bytes between two bits are zero."""
    place = (start >> THREE) + ONE
    while place + np.uint64(4) <= stop >> THREE:
        if words[place]:
            return False
        place += np.uint64(4)
    return True


@njit(cache=True, nogil=True)
def follow_bands(words, ends, units, tables, first, last, refines, nonzero, spare):  # type: ignore[no-untyped-def]
    """The coefficients `first` to `last` of a component in a progressive scan. Updates `nonzero`."""
    bit, block = ZERO, 0
    for part in range(len(ends)):
        end = np.uint64(8 * ends[part])
        empty = 0  # blocks from here on in which nothing new begins
        for _ in range(units[part]):
            if refines:
                bit, empty, nonzero[block] = _refine_band(words, bit, tables, first, last, empty, nonzero[block])
            elif empty:
                empty -= 1
            else:
                bit, empty, nonzero[block] = _begin_band(words, bit, tables, first, last, nonzero[block])
            if bit == NOWHERE:
                return IMPOSSIBLE
            if bit > end:
                return EARLY
            block += 1
        if end - bit >= 8 * (1 + (spare if part + 1 == len(ends) else 0)):
            return LATE
        bit = end
    return SOUND


@njit(cache=True, nogil=True)
def _begin_band(words, bit, tables, index, last, nonzero):  # type: ignore[no-untyped-def]
    """One block whose band is new → next bit (or NOWHERE), number of empty blocks that follow, updated `nonzero`."""
    while index <= last:
        entry = _next_code(words, bit, tables, 0)
        if entry == NO_CODE:
            return NOWHERE, 0, nonzero
        run, size = (entry >> 4) & 15, entry & 15
        bit += np.uint64(entry >> 8)
        if size:
            index += run
            if index > last:
                return NOWHERE, 0, nonzero
            bit += np.uint64(size)
            nonzero |= ONE << np.uint64(index)
            index += 1
        elif run == ZERO_RUN:
            index += 16
        else:
            return bit + np.uint64(run), _count_empty(words, bit, run) - 1, nonzero
    return bit, 0, nonzero


@njit(cache=True, nogil=True)
def _count_empty(words, bit, size):  # type: ignore[no-untyped-def]
    """2^size and a number of `size` bits: blocks that end here, this one included."""
    if size == 0:
        return 1
    return (1 << size) + np.int64(_next_bits(words, bit) >> np.uint32(32 - size))


@njit(cache=True, nogil=True)
def _refine_band(words, bit, tables, index, last, empty, nonzero):  # type: ignore[no-untyped-def]
    """As `_begin_band`, for a further bit of each coefficient: one bit for those in `nonzero`, codes for new ones."""
    known = nonzero
    while index <= last and not empty:
        entry = _next_code(words, bit, tables, 0)
        run, size = (entry >> 4) & 15, entry & 15
        if entry == NO_CODE or size > 1:
            return NOWHERE, 0, nonzero
        bit += np.uint64((entry >> 8) + size)
        if size == 0 and run != ZERO_RUN:
            empty = _count_empty(words, bit, run)
            bit += np.uint64(run)
            break
        # Pass `run` coefficients that stay zero. Each known one on the way has its further bit here.
        while index <= last:
            if (known >> np.uint64(index)) & ONE:
                bit += ONE
            elif run == 0:
                break
            else:
                run -= 1
            index += 1
        if size:
            if index > last:
                return NOWHERE, 0, nonzero
            nonzero |= ONE << np.uint64(index)
        index += 1
    if not empty:
        return bit, 0, nonzero
    while index <= last:
        bit += (known >> np.uint64(index)) & ONE
        index += 1
    return bit, empty - 1, nonzero
