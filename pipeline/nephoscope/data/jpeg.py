"""Whether a JPEG is complete and undamaged, from its bytes.

Decoders repair what they can: they draw something where data are damaged, and only print a warning. So the compressed
data of every scan are followed here from the first block to the last one. Sound data end exactly there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.data.jpeg_scans import EARLY, IMPOSSIBLE, LATE, LAYOUT, SOUND, follow_bands, follow_blocks, make_words

END, START_OF_SCAN, HUFFMAN, QUANTIZATION, RESTART_INTERVAL = 0xD9, 0xDA, 0xC4, 0xDB, 0xDD
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
"""Frames whose data are followed. Lossless, hierarchical and arithmetic JPEG are left to the decoder."""
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
NEXT_MARKER = re.compile(rb"\xff[\x01-\xfe]")
END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
MOST_SCANS = 32
"""Limit against decoding for minutes: a progressive JPEG has about ten scans, but a small file can hold thousands."""
MOST_SEGMENTS = 10_000
"""Limit against walking for minutes over markers without content."""
PADDING = bytes(512)
"""After the data, because a block is read before it is known whether the data suffice for it."""
BRIGHTEST = 1024
"""First coefficient of a white block; that of a black one is −1024."""
SPARE_BYTES = 3
"""Some cameras write a few bytes more before the end marker."""
MESSAGES = {
    EARLY: "they end before the last pixel",
    LATE: "they go on after the last pixel",
    IMPOSSIBLE: "they hold a code that no encoder writes",
}

AC = 16
"""Number of the first table for coefficients 1 to 63; those for the first coefficient begin at 0."""

Table = npt.NDArray[np.int32]
Selected = tuple[int, int]
"""A component of a scan, and the numbers of its tables: 16 · DC + AC."""


class JpegError(ValueError):
    """The JPEG is not complete, or damaged; `reason` is the kind of problem."""

    def __init__(self, reason: Literal["truncated", "damaged", "unreadable"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Segment(NamedTuple):
    marker: int
    body: bytes
    """Without its length."""
    scan: bytes = b""
    """The compressed data after the header of a scan."""


class Component(NamedTuple):
    """One of the colour channels."""

    across: int
    """Sampling: blocks of a unit (MCU) from left to right."""
    down: int
    rows: int
    """Blocks of the component."""
    columns: int
    most: int
    """Largest first coefficient of a block, which is the block's brightness."""


@dataclass
class Frame:
    is_progressive: bool
    unit_count: int
    """Units (MCU) of a scan with several components."""
    components: dict[int, Component]
    nonzero: dict[int, npt.NDArray[np.uint64]] = field(default_factory=dict)
    """Component → a bit for each coefficient of each block that is not zero so far; in progressive scans."""
    precisions: dict[tuple[int, int], int] = field(default_factory=dict)
    """(component, coefficient) → number of lower bits that later scans bring."""


def check_jpeg(content: bytes) -> None:
    """Bytes of a JPEG with a readable header; raises JpegError. What is unknown here is left to the decoder."""
    segments = list(walk(content))
    if sum(segment.marker == START_OF_SCAN for segment in segments) > MOST_SCANS:
        raise JpegError("unreadable", f"the JPEG has more than {MOST_SCANS} scans; usual are about ten")
    frame: Frame | None = None
    tables: dict[int, Table] = {}
    steps: dict[int, int] = {}
    interval = 0
    for number, (marker, body, scan) in enumerate(segments, 1):
        if marker == HUFFMAN:
            tables |= read_tables(body)
        elif marker == RESTART_INTERVAL:
            interval = int.from_bytes(body[:2], "big")
        elif marker in (BASELINE, EXTENDED, PROGRESSIVE):
            frame = read_frame(marker, body, steps)
        elif marker == QUANTIZATION:
            steps |= read_steps(body)
        elif marker == START_OF_SCAN and frame:
            spare = SPARE_BYTES if number == len(segments) else 0
            if state := check_scan(frame, tables, interval, body, scan, spare):
                raise JpegError("damaged", f"the JPEG's data are damaged: {MESSAGES[state]}; copy the file again")


def walk(content: bytes) -> Iterator[Segment]:
    """The segments of a JPEG up to its end marker. What follows that, such as a second picture, is not part of it."""
    position, count = 2, 0
    while match := NEXT_MARKER.search(content, position):
        marker, position = content[match.end() - 1], match.end()
        count += 1
        if count > MOST_SEGMENTS:
            raise JpegError("unreadable", f"the JPEG has more than {MOST_SEGMENTS} segments; usual are about ten")
        if marker == END:
            return
        if marker in ALONE:
            continue
        stop = position + int.from_bytes(content[position : position + 2], "big")
        body, position = content[position + 2 : stop], max(stop, position)
        if marker == START_OF_SCAN:
            after = END_OF_SCAN.search(content, position)
            stop = after.start() if after else len(content)
            yield Segment(marker, body, content[position:stop])
            position = stop
        else:
            yield Segment(marker, body)
    raise JpegError("truncated", f"the JPEG ends after {len(content)} bytes, without an end marker")


def read_frame(marker: int, body: bytes, steps: dict[int, int]) -> Frame | None:
    """The frame, or None if it is of an unusual kind. `steps`: see `read_steps`."""
    if len(body) < 6 or body[0] != 8 or len(body) < 6 + 3 * body[5]:
        return None
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    entries = [body[6 + 3 * index : 9 + 3 * index] for index in range(body[5])]
    sampling = {entry[0]: (entry[1] >> 4, entry[1] & 15) for entry in entries}
    if (
        not sampling
        or len(sampling) != body[5]
        or not all(1 <= count <= 4 for pair in sampling.values() for count in pair)
    ):
        return None
    across, down = (max(pair[axis] for pair in sampling.values()) for axis in (0, 1))
    components = {
        key: Component(h, v, _blocks(height * v, down), _blocks(width * h, across), _most(steps.get(slot)))
        for (key, (h, v)), slot in zip(sampling.items(), (entry[2] for entry in entries), strict=True)
    }
    unit_count = ceil(width / (8 * across)) * ceil(height / (8 * down))
    return Frame(marker == PROGRESSIVE, unit_count, components)


def _most(step: int | None) -> int:
    """The largest first coefficient, stored in such steps. Encoders round, so two steps more are allowed."""
    return BRIGHTEST // step + 2 if step else 2 * BRIGHTEST


def _blocks(sampled: int, most: int) -> int:
    """Blocks of 8 samples that a side of a component needs."""
    return ceil(ceil(sampled / most) / 8)


def read_steps(body: bytes) -> dict[int, int]:
    """The step of the first coefficient in each quantization table."""
    steps = {}
    while len(body) > 64:
        width = 2 if body[0] >> 4 else 1
        steps[body[0] & 15] = int.from_bytes(body[1 : 1 + width], "big")
        body = body[1 + 64 * width :]
    return steps


def read_tables(body: bytes) -> dict[int, Table]:
    """Huffman tables by their number, as `jpeg_scans.LAYOUT` says. Those that no decoder accepts are left out."""
    tables = {}
    while len(body) > 16:
        number, counts, stop = body[0], body[1:17], 17 + sum(body[1:17])
        if stop <= min(len(body), 17 + 256):
            tables[number] = _build_table(counts, body[17:stop])
        body = body[stop:]
    return tables


def _build_table(counts: bytes, values: bytes) -> Table:
    table = np.zeros(LAYOUT.size, np.int32)
    table[LAYOUT.values : LAYOUT.values + len(values)] = np.frombuffer(values, np.uint8)
    code = index = 0
    for length, count in enumerate(counts, 1):
        # Codes of a length are consecutive: those from `code` belong to the values from `index`.
        table[LAYOUT.offset + length] = index - code
        for value in values[index : index + count] if length <= LAYOUT.quick_bits else b"":
            first, step = code << (LAYOUT.quick_bits - length), 1 << (LAYOUT.quick_bits - length)
            table[first : min(first + step, 1 << LAYOUT.quick_bits)] = length << 8 | value
            code += 1
        if length > LAYOUT.quick_bits:
            code += count
        table[LAYOUT.end + length] = code
        index, code = index + count, code << 1
    return table


def check_scan(frame: Frame, tables: dict[int, Table], interval: int, body: bytes, scan: bytes, spare: int) -> int:
    """Follow one scan; returns SOUND or what is wrong. A scan that is unknown here is taken for sound."""
    count = body[0] if body else 0
    if not count or len(body) < 4 + 2 * count:
        return SOUND
    selected = [(body[1 + 2 * index], body[2 + 2 * index]) for index in range(count)]
    first, last, (high, low) = body[1 + 2 * count], body[2 + 2 * count], divmod(body[3 + 2 * count], 16)
    if any(key not in frame.components for key, _ in selected) or last > 63:
        return SOUND
    parts = Parts.of(scan, interval, _unit_count(frame, selected), spare)
    if parts is None:
        return LATE
    if not frame.is_progressive:
        return _check_blocks(frame, tables, selected, parts, 0, whole=True)
    if not _is_next(frame, [key for key, _ in selected], range(first, last + 1), high, low):
        return IMPOSSIBLE
    if first > 0:
        return _check_band(frame, tables, selected[0], parts, first, last, high)
    if high:
        return parts.compare_bits(sum(_block_counts(frame, selected)))
    return _check_blocks(frame, tables, selected, parts, low, whole=False)


@dataclass(frozen=True)
class Parts:
    """The data of a scan, cut at its restart markers."""

    words: npt.NDArray[np.uint32]
    """The data without markers and without the zeros that follow each 0xFF, as `jpeg_scans` reads them; padded."""
    ends: npt.NDArray[np.int64]
    """Where each part ends, in bytes."""
    units: npt.NDArray[np.int64]
    """Units (MCU) of each part."""
    spare: int
    """Bytes that may follow the last part."""

    @classmethod
    def of(cls, scan: bytes, interval: int, unit_count: int, spare: int) -> "Parts | None":
        """None if there are more or fewer parts than restart intervals."""
        interval = interval or unit_count
        starts = np.arange(0, unit_count, interval)
        raw = RESTART.split(scan, maxsplit=len(starts))
        if len(raw) > 1 and not raw[-1]:  # a marker after the last part
            raw.pop()
        if len(raw) != len(starts):
            return None
        # 0xFF is followed by a zero, except before a marker, where it may be repeated.
        plain = [part.rstrip(b"\xff").replace(b"\xff\x00", b"\xff") for part in raw]
        words = make_words(np.frombuffer(b"".join([*plain, PADDING]), np.uint8))
        return cls(words, np.cumsum([len(part) for part in plain]), np.minimum(interval, unit_count - starts), spare)

    def compare_bits(self, per_unit: int) -> int:
        """For scans of one bit a block: SOUND, EARLY or LATE."""
        unused = 8 * np.diff(self.ends, prepend=0) - per_unit * self.units
        if (unused < 0).any():
            return EARLY
        unused[-1] -= min(unused[-1], 8 * self.spare)
        return LATE if (unused >= 8).any() else SOUND


def _unit_count(frame: Frame, selected: list[Selected]) -> int:
    """A scan of one component leaves out the blocks that only fill up a unit."""
    if len(selected) > 1:
        return frame.unit_count
    component = frame.components[selected[0][0]]
    return component.rows * component.columns


def _block_counts(frame: Frame, selected: list[Selected]) -> list[int]:
    """Blocks of each component in a unit of this scan."""
    if len(selected) == 1:
        return [1]
    return [frame.components[key].across * frame.components[key].down for key, _ in selected]


def _check_blocks(
    frame: Frame, tables: dict[int, Table], selected: list[Selected], parts: Parts, low: int, *, whole: bool
) -> int:
    """`low`: lower bits that later scans bring. `whole`: blocks have all coefficients; otherwise only the first one."""
    slots = [(slots >> 4, AC + (slots & 15) if whole else slots >> 4) for _, slots in selected]
    if any(slot not in tables for pair in slots for slot in pair):
        return SOUND
    dc_tables, ac_tables = (np.stack([tables[pair[index]] for pair in slots]) for index in (0, 1))
    order = np.repeat(np.arange(len(selected)), _block_counts(frame, selected))
    most = np.array([frame.components[key].most >> low for key, _ in selected])
    return int(
        follow_blocks(parts.words, parts.ends, parts.units, order, dc_tables, ac_tables, most, whole, parts.spare)
    )


def _check_band(
    frame: Frame, tables: dict[int, Table], selected: Selected, parts: Parts, first: int, last: int, high: int
) -> int:
    """The coefficients `first` to `last` of one component; `high`: 0 if they are new."""
    key, slots = selected
    if AC + (slots & 15) not in tables:
        return SOUND
    table, component = tables[AC + (slots & 15)][None], frame.components[key]
    nonzero = frame.nonzero.setdefault(key, np.zeros(component.rows * component.columns, np.uint64))
    return int(follow_bands(parts.words, parts.ends, parts.units, table, first, last, high > 0, nonzero, parts.spare))


def _is_next(frame: Frame, keys: list[int], coefficients: range, high: int, low: int) -> bool:
    """Note what a progressive scan brings. False if an earlier scan brought it, or one before it is missing."""
    for key in keys:
        for coefficient in coefficients:
            if frame.precisions.get((key, coefficient), 0) != high:
                return False
            frame.precisions[key, coefficient] = low
    return True
