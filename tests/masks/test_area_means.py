"""Shrinking takes means over areas: for images, probabilities and masks alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage

from nephoscope.masks.geometry import resize_image, resize_mask, to_levels
from nephoscope.masks.rle import Shape


@pytest.mark.parametrize("shape", [(14, 21), (10, 28), (35, 42)])
def test_shrunk_images_are_those_of_pillows_box_filter(shape: Shape) -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 84, 3), np.uint8)
    expected = np.asarray(PilImage.fromarray(image).resize(shape[::-1], PilImage.Resampling.BOX)).astype(int)
    assert np.abs(resize_image(image, shape) - expected).max() <= 1


@given(st.integers(0, 2**16), st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
def test_a_shrunk_mask_is_set_where_at_least_half_of_a_block_was(
    seed: int, height: int, width: int, down: int, across: int
) -> None:
    mask = np.random.default_rng(seed).random((height * down, width * across)) < 0.5
    shares = mask.reshape(height, down, width, across).mean(axis=(1, 3))
    assert (resize_mask(mask, (height, width)) == (shares >= 0.5)).all()


def test_shrunk_probabilities_are_rounded_after_their_mean() -> None:
    probabilities = np.random.default_rng(0).random((2, 12, 18), np.float32)
    means = probabilities.reshape(2, 4, 3, 6, 3).mean(axis=(2, 4))
    assert np.abs(to_levels(probabilities, (4, 6)) - 255 * means).max() <= 0.5 + 1e-3
