"""Components across strips are those of the whole mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from nephoscope.masks.components import filter_components
from nephoscope.masks.strips import StripFilter

EIGHT = np.ones((3, 3), int)


def filter_in_strips(mask: np.ndarray, heights: list[int], min_area: int, *, wraps: bool = False) -> np.ndarray:
    """Cut into strips of these heights, again and again."""
    cuts = np.cumsum(heights * (len(mask) // sum(heights) + 1))
    strips = [strip for strip in np.split(mask, cuts[cuts < len(mask)]) if len(strip)]
    small = StripFilter(min_area, wraps=wraps)
    for strip in strips:
        small.add(strip)
    return np.concatenate([small.filter(index, strip) for index, strip in enumerate(strips)])


def filter_by_scipy(mask: np.ndarray, min_area: int, *, wraps: bool = False) -> np.ndarray:
    """The whole mask at once. Around the Earth: components of two copies beside each other that are one."""
    labels, count = ndimage.label(mask, EIGHT)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    if wraps:
        left, right = labels[:, 0], labels[:, -1]
        for _ in range(count):  # merges until nothing changes
            for y in range(len(mask)):
                for other in range(max(0, y - 1), min(len(mask), y + 2)):
                    if left[y] and right[other] and left[y] != right[other]:
                        labels[labels == right[other]] = left[y]
        areas = np.bincount(labels.ravel(), minlength=count + 1)
    return np.asarray(mask & (areas >= min_area)[labels])


@pytest.mark.parametrize("wraps", [False, True])
@given(
    st.integers(0, 2**16),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from([0, 0.2, 0.4, 0.5, 0.7, 1]),
)
def test_strips_of_any_height_give_the_components_of_the_whole_mask(
    wraps: bool, seed: int, heights: list[int], height: int, width: int, density: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < density
    for min_area in (0, 2, 5, 30):
        expected = filter_by_scipy(mask, min_area, wraps=wraps)
        assert (filter_in_strips(mask, heights, min_area, wraps=wraps) == expected).all()


def test_a_snake_through_all_strips_is_one_component() -> None:
    mask = np.zeros((31, 9), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    area = int(mask.sum())
    assert (filter_in_strips(mask, [1], area) == mask).all()
    assert not filter_in_strips(mask, [3], area + 1).any()


def test_a_single_strip_is_filtered_as_a_plain_mask() -> None:
    mask = np.random.default_rng(0).random((40, 60)) < 0.4
    assert (filter_in_strips(mask, [40], 7) == filter_components(mask, 7)).all()


def test_components_touch_by_their_corners_around_the_earth() -> None:
    mask = np.zeros((4, 6), bool)
    mask[1, -1] = mask[2, 0] = True
    assert filter_in_strips(mask, [2], 2, wraps=True).sum() == 2
    assert not filter_in_strips(mask, [2], 2).any()
