"""Spans agree with thresholding, and with labelling and counting by scipy.ndimage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import ndimage

from nephoscope.masks.spans import AREA, FIRST, LAST, OVERLAP, Spans, find_spans

Component = tuple[int, int]
"""Area, overlap."""


def components_at(spans: Spans, threshold: int) -> list[Component]:
    constant = (spans[:, FIRST] <= threshold) & (spans[:, LAST] >= threshold)
    return sorted(map(tuple, spans[constant][:, [AREA, OVERLAP]].tolist()))


def components_by_labelling(levels: np.ndarray, truth: np.ndarray, threshold: int) -> list[Component]:
    labels, count = ndimage.label(levels >= threshold, np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    areas, overlaps = (ndimage.sum_labels(mask, labels, numbers).astype(int) for mask in (labels > 0, truth))
    return sorted(zip(areas.tolist(), overlaps.tolist(), strict=True))


def assert_equal_at_all_thresholds(levels: np.ndarray, truth: np.ndarray) -> None:
    spans = find_spans(levels, truth)
    for threshold in (*np.unique(levels[levels > 0]).tolist(), 1, 128, 255):
        assert components_at(spans, threshold) == components_by_labelling(levels, truth, threshold), threshold


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(st.data(), shapes, st.sampled_from([2, 4, 256]))
def test_spans_give_the_components_of_every_threshold(data: st.DataObject, shape: tuple[int, int], steps: int) -> None:
    values = st.integers(0, steps - 1).map(lambda step: step * 255 // (steps - 1))
    levels = data.draw(npst.arrays(np.uint8, shape, elements=values))
    truth = data.draw(npst.arrays(bool, shape))
    assert_equal_at_all_thresholds(levels, truth)


def draw_pattern(name: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.indices(shape)
    patterns = {
        "noise": rng.integers(0, 256, shape),
        "empty": np.zeros(shape),
        "full": np.full(shape, 255),
        "touching corners": (rows + columns) % 2 * 200,
        "single pixels": (rng.random(shape) > 0.97) * rng.integers(1, 256, shape),
        "bands from border to border": np.minimum(rows * 9, 255),
    }
    return patterns[name].astype(np.uint8)


@pytest.mark.parametrize(
    "pattern", ["noise", "empty", "full", "touching corners", "single pixels", "bands from border to border"]
)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (23, 31)])
def test_spans_of_unusual_shapes_and_patterns(pattern: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    levels = draw_pattern(pattern, shape, rng)
    for truth in (np.zeros(shape, bool), np.ones(shape, bool), rng.random(shape) > 0.5):
        assert_equal_at_all_thresholds(levels, truth)


def test_a_constant_component_is_a_single_span() -> None:
    levels = np.array([[200, 200, 0, 90], [0, 0, 0, 0], [50, 0, 0, 0]], np.uint8)
    spans = find_spans(levels, levels > 100)
    assert sorted(map(tuple, spans.tolist())) == [(1, 50, 1, 0), (1, 90, 1, 0), (1, 200, 2, 2)]


def test_two_hills_join_at_the_level_of_the_saddle() -> None:
    spans = find_spans(np.array([[90, 30, 60]], np.uint8), np.ones((1, 3), bool))
    assert sorted(map(tuple, spans.tolist())) == [(1, 30, 3, 3), (31, 60, 1, 1), (31, 90, 1, 1)]


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"levels are \(2, 3\), truth is \(3, 2\)"):
        find_spans(np.zeros((2, 3), np.uint8), np.zeros((3, 2), bool))
