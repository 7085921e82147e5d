"""Run-length encoding, as the competitions write it: "start length …", 1-based, column-major; "" is empty."""

import numpy as np
import numpy.typing as npt

Shape = tuple[int, int]
Mask = npt.NDArray[np.bool_]


class RleError(ValueError):
    """The text is no RLE of a mask of this shape; the message says what is wrong with it."""


def encode_rle(mask: Mask) -> str:
    """Mask (H×W) → text.

    >>> encode_rle(np.array([[True, False], [True, True]]))
    '1 2 4 1'
    """
    flat = np.zeros(mask.size + 2, np.int8)
    flat[1:-1] = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat))
    starts, ends = edges[::2], edges[1::2]
    return " ".join(map(str, np.column_stack([starts + 1, ends - starts]).ravel().tolist()))


def decode_rle(text: str, shape: Shape) -> Mask:
    """Text → mask (H×W) of this shape; what is out of order raises RleError.

    >>> decode_rle("1 2 4 1", (2, 2)).astype(int)
    array([[1, 0],
           [1, 1]])
    """
    starts, lengths = parse_runs(text, shape)
    flat = np.zeros(shape[0] * shape[1], bool)
    for start, end in zip(starts.tolist(), (starts + lengths).tolist(), strict=True):
        flat[start:end] = True
    return np.ascontiguousarray(flat.reshape(shape, order="F"))


def parse_runs(text: str, shape: Shape) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Text → starts (0-based, ascending) and lengths of runs that fit into the shape and do not overlap."""
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
