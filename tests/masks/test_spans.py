"""Spans against the plain way: threshold, label, count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from nephoscope.masks.components import label_components
from nephoscope.masks.spans import AREA, FIRST, LAST, OVERLAP, PEAK, Spans, find_spans

Component = tuple[int, int, int]
"""Peak, area, overlap."""


def standing(spans: Spans, threshold: int) -> list[Component]:
    stands = (spans[:, FIRST] <= threshold) & (spans[:, LAST] >= threshold)
    return sorted(map(tuple, spans[stands][:, [PEAK, AREA, OVERLAP]].tolist()))


def labelled(levels: np.ndarray, truth: np.ndarray, threshold: int) -> list[Component]:
    labels = label_components(levels >= threshold).labels
    each = (labels == label for label in range(1, labels.max() + 1))
    return sorted((int(levels[one].max()), int(one.sum()), int((one & truth).sum())) for one in each)


def assert_all_alike(levels: np.ndarray, truth: np.ndarray) -> None:
    spans = find_spans(levels, truth)
    for threshold in (*np.unique(levels[levels > 0]).tolist(), 1, 128, 255):
        assert standing(spans, threshold) == labelled(levels, truth, threshold), threshold


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(st.data(), shapes, st.sampled_from([2, 4, 256]))
def test_every_threshold_has_its_components(data: st.DataObject, shape: tuple[int, int], steps: int) -> None:
    values = st.integers(0, steps - 1).map(lambda step: step * 255 // (steps - 1))
    levels = data.draw(npst.arrays(np.uint8, shape, elements=values))
    truth = data.draw(npst.arrays(bool, shape))
    assert_all_alike(levels, truth)


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
def test_shapes_and_patterns(pattern: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    levels = draw_pattern(pattern, shape, rng)
    for truth in (np.zeros(shape, bool), np.ones(shape, bool), rng.random(shape) > 0.5):
        assert_all_alike(levels, truth)


def test_a_component_is_told_once_for_all_thresholds_at_which_it_stands() -> None:
    levels = np.array([[200, 200, 0, 90], [0, 0, 0, 0], [50, 0, 0, 0]], np.uint8)
    spans = find_spans(levels, levels > 100)
    assert sorted(map(tuple, spans.tolist())) == [(1, 50, 50, 1, 0), (1, 90, 90, 1, 0), (1, 200, 200, 2, 2)]


def test_two_hills_join_where_the_saddle_is_reached() -> None:
    spans = find_spans(np.array([[90, 30, 60]], np.uint8), np.ones((1, 3), bool))
    assert sorted(map(tuple, spans.tolist())) == [(1, 30, 90, 3, 3), (31, 60, 60, 1, 1), (31, 90, 90, 1, 1)]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"levels are \(2, 3\), truth is \(3, 2\)"):
        find_spans(np.zeros((2, 3), np.uint8), np.zeros((3, 2), bool))
