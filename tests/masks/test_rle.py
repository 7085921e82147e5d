import contextlib
import re
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from nephoscope.masks.rle import SLACK, RleError, decode_rle, encode_rle, parse_runs, write_runs

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@st.composite
def grained_masks(draw: st.DrawFn) -> np.ndarray:
    """Noise of any density and grain size, up to 90×90, with short and long runs."""
    height, width, grain = draw(st.integers(1, 90)), draw(st.integers(1, 90)), draw(st.sampled_from([1, 2, 7, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    noise = rng.random((height // grain + 1, width // grain + 1)) < draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))
    return noise.repeat(grain, 0).repeat(grain, 1)[:height, :width]


def test_runs_go_down_the_columns_and_count_from_one() -> None:
    mask = np.array([[0, 1, 0], [1, 1, 0]], bool)
    assert encode_rle(mask) == "2 3"
    assert decode_rle("2 3", (2, 3)).tolist() == mask.tolist()


def test_an_empty_mask_is_an_empty_text() -> None:
    assert encode_rle(np.zeros((4, 5), bool)) == ""
    assert not decode_rle("", (4, 5)).any()


def test_a_full_mask_is_one_run() -> None:
    assert encode_rle(np.ones((4, 5), bool)) == "1 20"


def test_runs_may_come_in_any_order() -> None:
    assert encode_rle(decode_rle("5 1 1 2", (2, 3))) == "1 2 5 1"


@pytest.mark.parametrize("text", ["1 2 3 1", "3 1 1 2", "2 2 1 1", "3 1 2 1 1 1"])
def test_runs_that_touch_are_one_run_in_any_order(text: str) -> None:
    assert encode_rle(decode_rle(text, (2, 3))) == "1 3"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=8), st.randoms())
def test_unsorted_and_touching_runs_are_their_pixels(runs: list[tuple[int, int]], random: Random) -> None:
    """Gaps (0: the runs touch) and lengths of runs, in any order."""
    pixels, words = np.zeros(60, bool), []
    free = 0
    for gap, length in runs:
        start = free + gap
        free = start + length
        pixels[start:free] = True
        words.append(f"{start + 1} {length}")
    random.shuffle(words)
    assert (decode_rle(" ".join(words), (6, 10)) == pixels.reshape(10, 6).T).all()


@given(MASKS)
def test_decoding_undoes_encoding(mask: np.ndarray) -> None:
    assert (decode_rle(encode_rle(mask), mask.shape) == mask).all()


@given(MASKS)
def test_runs_are_as_long_as_possible(mask: np.ndarray) -> None:
    starts = np.array(encode_rle(mask).split()[::2], int)
    lengths = np.array(encode_rle(mask).split()[1::2], int)
    assert (starts[1:] > starts[:-1] + lengths[:-1]).all()


def test_masks_without_pixels_are_empty() -> None:
    assert encode_rle(np.zeros((0, 5), bool)) == ""
    assert decode_rle("", (0, 5)).shape == (0, 5)


@pytest.mark.parametrize("text", ["1  2 5 1", " 1 2 5 1 ", "1 2\t5 1", "01 2 5 1", "5 1\n1 2", "001 2 5 1"])
def test_any_spaces_and_leading_zeros_are_read(text: str) -> None:
    assert encode_rle(decode_rle(text, (2, 3))) == "1 2 5 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", "odd count: 3 numbers"),
        ("1 x", "not a number: 'x'"),
        ("1.5 2", "not a number: '1.5'"),
        ("1_0 2", "not a number: '1_0'"),
        ("1 2 5 +1", "not a number: '+1'"),
        ("١ 2 5 1", "not a number: '١'"),
        ("1 " + "9" * 5000, "not a number: '9999"),
        ("1 99999999999999999999", "not a number: '99999999999999999999'"),
        ("1 0", "empty run: '1 0'"),
        ("0 2", "run out of bounds: '0 2' leaves the 6 pixels of 2×3"),
        ("6 2", "run out of bounds: '6 2' leaves"),
        ("2 9223372036854775807", "run out of bounds"),
        ("1 3 2 1", "overlapping runs: '1 3' and '2 1'"),
        ("4 1 4 1", "overlapping runs: '4 1' and '4 1'"),
    ],
)
def test_the_error_names_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(RleError, match=re.escape(message)):
        decode_rle(text, (2, 3))


@given(st.text(alphabet="0123456789- x.", max_size=30))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with contextlib.suppress(RleError):
        assert decode_rle(text, (3, 4)).shape == (3, 4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools' own
@given(MASKS | grained_masks())
def test_runs_are_those_of_pycocotools(mask: np.ndarray) -> None:
    """Its RLE is column-major, too, but it lists the lengths of zeros and ones in turn."""
    shape = (mask.shape[0], mask.shape[1])
    counts = coco.frPyObjects({"size": list(shape), "counts": uncompressed(encode_rle(mask), mask.size)}, *shape)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert counts == theirs
    np.testing.assert_array_equal(coco.decode(counts).astype(bool), mask)
    np.testing.assert_array_equal(decode_rle(encode_rle(coco.decode(theirs).astype(bool)), shape), mask)
    assert parse_runs(encode_rle(mask), shape)[1].sum() == coco.area(theirs)


def uncompressed(text: str, size: int) -> list[int]:
    starts, lengths = np.array(text.split(), int).reshape(-1, 2).T
    edges = np.column_stack([starts - 1, starts - 1 + lengths]).ravel()
    counts = np.diff(edges, prepend=0, append=size).tolist()
    return counts if counts[-1] else counts[:-1]


def test_masks_may_have_any_memory_layout() -> None:
    mask = np.random.default_rng(0).random((9, 14)) > 0.5
    for view in (mask.T, mask[::-1], mask[:, ::2], np.asfortranarray(mask)):
        np.testing.assert_array_equal(decode_rle(encode_rle(view), view.shape), view)


NUMBERS = st.one_of(
    st.integers(1, 10**15), st.sampled_from([10**power + more for power in range(16) for more in (-1, 0, 1)][1:])
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_numbers_are_written_as_python_writes_them(runs: list[tuple[int, int]]) -> None:
    edges = np.array([(start - 1, start - 1 + length) for start, length in runs], np.int64).ravel()
    text = np.full(20 * len(edges) + SLACK, ord("?"), np.uint8)
    written = text[: write_runs(edges, text)].tobytes().decode("ascii")
    assert written == " ".join(f"{start} {length}" for start, length in runs)
