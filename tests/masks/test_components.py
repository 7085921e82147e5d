import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.masks.components import filter_components, keep_components, label_components


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 0.1, 0.3, 0.6, 0.95, 1]))
def test_filtering_equals_labelling_and_keeping(seed: int, height: int, width: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < density
    components = label_components(mask)
    for min_area in (0, 1, 2, 9):
        expected = keep_components(components, components.areas >= min_area)
        assert (filter_components(mask, min_area) == expected).all()
        assert (filter_components(np.asfortranarray(mask), min_area) == expected).all()


def test_the_ends_of_rows_do_not_touch() -> None:
    mask = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool)[[0, 2]]
    assert not filter_components(mask, 2).any()


def test_areas_and_labels_agree() -> None:
    components = label_components(np.array([[1, 0, 1], [0, 0, 1]], bool))
    assert [int((components.labels == k).sum()) for k in (1, 2)] == components.areas.tolist()
