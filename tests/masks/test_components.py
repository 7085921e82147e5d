import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.masks.components import filter_components, keep_components, label_components


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 0.1, 0.3, 0.6, 0.95, 1]))
def test_filtering_equals_labelling_and_keeping(seed: int, height: int, width: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < density
    levels = rng.integers(0, 256, (height, width)).astype(np.uint8)
    components = label_components(mask)
    peaks = np.zeros(len(components.areas) + 1, np.uint8)
    np.maximum.at(peaks, components.labels, levels)
    for min_area, min_peak in [(0, 0), (2, 0), (9, 0), (0, 200), (5, 250)]:
        expected = keep_components(components, (components.areas >= min_area) & (peaks[1:] >= min_peak))
        assert (filter_components(mask, levels, min_area, min_peak) == expected).all()
        assert (filter_components(np.asfortranarray(mask), levels, min_area, min_peak) == expected).all()


def test_the_ends_of_rows_do_not_touch() -> None:
    mask = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool)[[0, 2]]
    assert not filter_components(mask, mask.astype(np.uint8), 2, 0).any()


def test_areas_and_labels_agree() -> None:
    components = label_components(np.array([[1, 0, 1], [0, 0, 1]], bool))
    assert [int((components.labels == k).sum()) for k in (1, 2)] == components.areas.tolist()
