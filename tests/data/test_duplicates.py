"""Near duplicates share a group; other images do not."""

import cv2
import numpy as np
import pytest

from nephoscope.data.splits import group_duplicates, group_hashes, hash_image


def draw_cloud(seed, shape=(96, 144)):
    noise = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    grey = cv2.normalize(smooth, None, 30, 230, cv2.NORM_MINMAX).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def distance(first, second):
    return (hash_image(first) ^ hash_image(second)).bit_count()


def change_quality(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    "change",
    [
        change_quality,
        lambda image: cv2.resize(image, (72, 48), interpolation=cv2.INTER_AREA),
        lambda image: (image * 0.8 + 10).astype(np.uint8),
    ],
)
def test_size_quality_and_brightness_hardly_change_the_hash(change):
    assert max(distance(draw_cloud(seed), change(draw_cloud(seed))) for seed in range(10)) <= 3


def test_different_images_are_far_apart_even_with_the_same_strip():
    images = [draw_cloud(seed) for seed in range(12)]
    for image in images:
        image[:, 60:80] = 0
    distances = [distance(first, second) for first in images for second in images if first is not second]
    assert min(distances) > 6


def test_copies_share_a_group():
    images = np.stack([draw_cloud(0), draw_cloud(1), change_quality(draw_cloud(0)), draw_cloud(2)])
    assert group_duplicates(images, 3).tolist() == [0, 1, 0, 2]
    assert group_duplicates(images, -1).tolist() == [0, 1, 2, 3]


def test_groups_are_chains_of_close_hashes():
    hashes = np.array([0b0000, 0b0011, 0b1111, 0xFF << 40], np.uint64)
    assert group_hashes(hashes, 2).tolist() == [0, 0, 0, 1]
    assert group_hashes(hashes, 1).tolist() == [0, 1, 2, 3]


def test_duplicates_in_different_blocks_share_a_group():
    hashes = np.random.default_rng(0).integers(0, 2**63, 1200, dtype=np.uint64)
    hashes[1100] = hashes[3]
    groups = group_hashes(hashes, 0)
    assert groups[1100] == groups[3]
    assert len(np.unique(groups)) == 1199
