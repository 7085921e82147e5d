import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.masks.rle import SLACK, write_runs

NUMBERS = st.one_of(
    st.integers(1, 10**15), st.sampled_from([10**power + more for power in range(16) for more in (-1, 0, 1)][1:])
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_numbers_of_any_size_are_written_as_python_writes_them(runs: list[tuple[int, int]]) -> None:
    edges = np.array([(start - 1, start - 1 + length) for start, length in runs], np.int64).ravel()
    text = np.full(20 * len(edges) + SLACK, ord("?"), np.uint8)
    written = text[: write_runs(edges, text)].tobytes().decode("ascii")
    assert written == " ".join(f"{start} {length}" for start, length in runs)
