"""Components against scipy.ndimage.label."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from nephoscope.masks.components import filter_components, keep_components, label_components

EIGHT = np.ones((3, 3), int)
MASKS = st.builds(
    lambda seed, height, width, density: np.random.default_rng(seed).random((height, width)) < density,
    st.integers(0, 2**16),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([0, 0.1, 0.3, 0.6, 0.95, 1]),
)


@given(MASKS)
def test_components_and_their_areas_are_those_of_scipy(mask: np.ndarray) -> None:
    components = label_components(mask)
    theirs, count = ndimage.label(mask, EIGHT)
    assert len(components.areas) == count
    pairs = np.unique(np.stack([components.labels.ravel(), theirs.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(theirs))  # one label of ours for each of theirs
    areas = ndimage.sum_labels(mask, components.labels, np.arange(1, count + 1))
    assert components.areas.tolist() == areas.tolist()


@given(MASKS)
def test_filtering_keeps_the_components_that_scipy_finds_large_enough(mask: np.ndarray) -> None:
    theirs, _ = ndimage.label(mask, EIGHT)
    areas = np.bincount(theirs.ravel())
    components = label_components(mask)
    for min_area in (0, 1, 2, 9):
        expected = mask & (areas >= min_area)[theirs]
        assert (filter_components(mask, min_area) == expected).all()
        assert (filter_components(np.asfortranarray(mask), min_area) == expected).all()
        assert (keep_components(components, components.areas >= min_area) == expected).all()


def test_the_ends_of_rows_do_not_touch() -> None:
    mask = np.array([[0, 0, 0, 1], [1, 0, 0, 0]], bool)
    assert not filter_components(mask, 2).any()
