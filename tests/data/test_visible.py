"""The black strip is invisible, dark water is visible."""

import cv2
import numpy as np
import pytest

from nephoscope.data.visible import find_visible

SHAPE = (96, 144)


def draw_ocean(brightness=(10, 22, 40), noise=6, seed=0):
    speckle = np.random.default_rng(seed).normal(0, noise, (*SHAPE, 3))
    return np.clip(np.array(brightness) + speckle, 0, 255).astype(np.uint8)


def strip_of(width=14):
    mask = np.zeros(SHAPE, np.uint8)
    corners = np.array([[60, 0], [60 + width, 0], [78 + width, 95], [78, 95]])
    return cv2.fillPoly(mask, [corners], 1).astype(bool)


@pytest.mark.parametrize("quality", [95, 60])
def test_a_strip_is_found_through_jpeg(quality):
    image = draw_ocean((70, 80, 100), 30)
    image[strip_of()] = 0
    image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    errors = find_visible(image) == strip_of()
    assert errors.mean() < 0.03


def test_dark_water_stays_visible():
    assert find_visible(draw_ocean((8, 9, 12), 3)).all()
    assert find_visible(draw_ocean((10, 22, 40))).all()


def test_small_regions_belong_to_their_surroundings():
    image = draw_ocean((70, 80, 100), 5)
    image[5:7, 5:7] = 0
    image[strip_of(40)] = 0
    image[50:52, 90:92] = 200
    np.testing.assert_array_equal(find_visible(image), ~strip_of(40))


def test_a_black_image_is_invisible():
    assert not find_visible(np.zeros((*SHAPE, 3), np.uint8)).any()


def test_without_nodata_black_is_visible():
    assert find_visible(np.zeros((*SHAPE, 3), np.uint8), nodata=False).all()
