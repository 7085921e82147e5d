import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from nephoscope.masks.geometry import from_planes, gallery_shape, resize_image, resize_mask, to_levels, to_planes


def test_a_pixel_is_set_if_half_of_its_area_was() -> None:
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], bool)
    assert resize_mask(mask, (1, 2)).tolist() == [[True, False]]


def test_a_rectangle_of_whole_blocks_keeps_its_position_and_area() -> None:
    mask = np.zeros((1400, 2100), bool)
    mask[400:800, 840:1240] = True
    small = resize_mask(mask, (350, 525))
    assert small.sum() == 100 * 100
    assert small[100:200, 210:310].all()


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9)), st.integers(1, 4))
def test_enlarging_by_a_whole_factor_and_shrinking_restores_the_mask(mask: np.ndarray, factor: int) -> None:
    enlarged = np.kron(mask, np.ones((factor, factor), bool))
    assert (resize_mask(enlarged, mask.shape) == mask).all()


SIDES = st.tuples(st.integers(1, 6), st.integers(1, 6))


def averages_by_pillow(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means over areas. Pixels are split first, because Pillow's box takes whole pixels."""
    split = np.kron(array.astype(np.float32), np.ones(shape, np.float32))
    return np.asarray(Image.fromarray(split).resize(shape[::-1], Image.Resampling.BOX), np.float64)


@given(st.integers(0, 2**16), SIDES, SIDES)
def test_shrunk_probabilities_are_means_over_areas(seed: int, shape: tuple[int, int], more: tuple[int, int]) -> None:
    source = (shape[0] + more[0], shape[1] + more[1])
    probabilities = np.random.default_rng(seed).random((2, *source), np.float32)
    levels = to_levels(probabilities, shape)
    expected = np.stack([averages_by_pillow(probability, shape) for probability in probabilities])
    assert np.abs(levels - 255 * expected).max() < 0.501


@given(st.integers(0, 2**16), SIDES, SIDES)
def test_a_shrunk_mask_has_the_pixels_that_were_at_least_half_set(
    seed: int, shape: tuple[int, int], more: tuple[int, int]
) -> None:
    source = (shape[0] + more[0], shape[1] + more[1])
    mask = np.random.default_rng(seed).random(source) < 0.5
    share = averages_by_pillow(mask, shape)
    small = resize_mask(mask, shape)
    assert small[share > 0.501].all()
    assert not small[share < 0.499].any()


def test_a_pixel_with_a_little_less_than_half_of_its_area_is_not_set() -> None:
    mask = (np.arange(255) < 127).reshape(15, 17)
    assert not resize_mask(mask, (1, 1)).any()
    assert resize_mask(~mask, (1, 1)).all()


@given(st.integers(0, 2**16), SIDES, SIDES)
def test_enlarged_probabilities_are_those_of_pillow(seed: int, shape: tuple[int, int], more: tuple[int, int]) -> None:
    larger = (shape[0] + more[0], shape[1] + more[1])
    probability = np.random.default_rng(seed).random(shape, np.float32)
    expected = Image.fromarray(probability).resize(larger[::-1], Image.Resampling.BILINEAR)
    assert np.abs(to_levels(probability[None], larger)[0] - 255 * np.asarray(expected, np.float64)).max() < 0.51


def test_images_keep_their_colours() -> None:
    image = np.full((10, 20, 3), (10, 20, 30), np.uint8)
    assert (resize_image(image, (7, 31)) == (10, 20, 30)).all()
    assert resize_image(image, (7, 31)).shape == (7, 31, 3)


def test_levels_are_rounded_probabilities() -> None:
    probabilities = np.array([[[0, 0.5, 1, 0.001]]], np.float32)
    assert to_levels(probabilities, (1, 4)).tolist() == [[[0, 128, 255, 0]]]


@given(hnp.arrays(bool, st.tuples(st.integers(1, 32), st.integers(1, 5), st.integers(1, 5))))
def test_planes_hold_all_masks(masks: np.ndarray) -> None:
    planes = to_planes(masks)
    assert planes.dtype == (np.uint8 if len(masks) <= 8 else np.int32)
    assert (from_planes(planes, len(masks)) == masks).all()


def test_more_classes_than_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="33 classes"):
        to_planes(np.zeros((33, 2, 2), bool))


def test_the_gallery_shape_keeps_the_aspect() -> None:
    assert gallery_shape((350, 525)) == (258, 387)
    assert gallery_shape((256, 1600)) == (126, 791)
    assert gallery_shape((28, 42)) == (28, 42)
