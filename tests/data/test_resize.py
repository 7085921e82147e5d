"""Resizing gives the same bytes as PyTorch."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.data.resize import resize_antialiased
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

SIDES = st.integers(1, 200)


def resize_with_torch(image: Image, shape: Shape) -> Image:
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(planes, size=shape, mode="bilinear", antialias=True)
    return np.asarray(resized[0].permute(1, 2, 0).numpy())


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.integers(0, 2**32 - 1))
def test_resized_images_equal_those_of_torch(shape: Shape, resized_shape: Shape, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_antialiased(image, resized_shape), resize_with_torch(image, resized_shape))


def test_extreme_values_are_kept() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, 48:] = 255
    resized = resize_antialiased(image, (16, 24))
    assert (resized.min(), resized.max()) == (0, 255)
    np.testing.assert_array_equal(resized, resize_with_torch(image, (16, 24)))


def test_images_may_have_any_memory_layout() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    flipped = image[::-1, ::-1]
    np.testing.assert_array_equal(resize_antialiased(flipped, (20, 17)), resize_antialiased(flipped.copy(), (20, 17)))
