"""Outlines run along the edges of pixels, so that neighbours meet without a gap."""

import cv2
import numpy as np
import pytest

from pipeline.masks.outlines import outline_path


def block(height: int, width: int, *places: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for place in places:
        mask[place] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "path"),
    [
        (block(4, 4), ""),
        (block(2, 3, (slice(0, 2), slice(0, 3))), "M0 0l0 2 3 0 0-2z"),
        (block(4, 4, (slice(1, 2), slice(1, 2))), "M1 1l0 1 1 0 0-1z"),
        (
            block(5, 9, (slice(1, 4), slice(0, 3)), (slice(1, 4), slice(6, 9))),
            "M6 1l0 3 3 0 0-3zM0 1l0 3 3 0 0-3z",
        ),
    ],
)
def test_a_mask_is_walked_around(mask: np.ndarray, path: str) -> None:
    assert outline_path(mask) == path


def test_a_hole_is_a_ring_of_its_own() -> None:
    mask = np.ones((20, 20), bool)
    mask[5:15, 5:15] = False
    assert outline_path(mask).count("M") == 2


def test_an_outline_keeps_to_its_mask_within_a_pixel() -> None:
    mask = np.zeros((80, 120), np.uint8)
    cv2.ellipse(mask, (60, 40), (45, 25), 20, 0, 360, 1, -1)
    (ring,) = outline_path(mask.astype(bool)).removeprefix("M").removesuffix("z").split("M")
    start, steps = ring.replace("-", " -").split("l")
    corners = np.cumsum(
        [np.fromstring(start, sep=" ", dtype=int), *np.fromstring(steps, sep=" ", dtype=int).reshape(-1, 2)], axis=0
    )
    filled = cv2.fillPoly(np.zeros_like(mask), [corners.astype(np.int32)], 1)
    band = cv2.dilate(mask, np.ones((5, 5))) - cv2.erode(mask, np.ones((5, 5)))
    assert len(corners) < 40
    assert not ((filled != mask) & (band == 0)).any()
