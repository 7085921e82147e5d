"""The content of synthetic scenes, and the agreement of their labels with it."""

import numpy as np
import pytest

from nephoscope.data.synthetic import SCENES
from nephoscope.data.synthetic.annotators import annotate, draw_presence, draw_regions, union_of
from nephoscope.data.synthetic.dataset import scene_rng
from nephoscope.data.synthetic.fields import band_noise, power_noise, warp
from nephoscope.data.synthetic.patterns import PATTERNS
from nephoscope.data.synthetic.steel import DEFECTS, draw_defects
from nephoscope.masks.dice import dice

EMPTY_SHARES = (0.4985, 0.5735, 0.4700, 0.3236)  # of Fish, Flower, Gravel, Sugar in the competition
SEEN = np.ones((70, 105), bool)


@pytest.fixture(scope="module")
def labels():
    """Presence as drawn and as labelled (N×C each), and Dice between annotators; no image is drawn."""
    drawn, labelled, agreement = [], [], []
    for number in range(600):
        rng = scene_rng(0, number)
        regions = draw_regions(rng)
        truth, other = (union_of(annotate(rng, regions), SEEN) for _ in range(2))
        drawn.append(union_of(regions, SEEN).any(axis=(1, 2)))
        labelled.append(truth.any(axis=(1, 2)))
        agreement.append([dice(*masks) for masks in zip(truth, other, strict=True)])
    return np.array(drawn), np.array(labelled), np.array(agreement)


def test_classes_are_as_frequent_as_in_the_competition(labels):
    drawn, labelled, _ = labels
    assert 1 - drawn.mean(axis=0) == pytest.approx(EMPTY_SHARES, abs=0.06)
    assert 1 - labelled.mean(axis=0) == pytest.approx(EMPTY_SHARES, abs=0.08)


def test_every_scene_has_a_pattern_and_few_have_all():
    presence = np.array([draw_presence(scene_rng(0, number)) for number in range(600)])
    assert presence.any(axis=1).all()
    assert presence.all(axis=1).mean() == pytest.approx(0.048, abs=0.03)


def test_labels_are_noisy_but_mostly_right(labels):
    drawn, labelled, agreement = labels
    assert 0.85 < (drawn == labelled).mean() < 0.96
    assert (drawn & ~labelled).any(axis=0).all()
    assert (labelled & ~drawn).any(axis=0).all()
    assert 0.6 < agreement.mean() < 0.8


@pytest.mark.parametrize("shape", [(350, 525), (70, 105), (32, 48), (64, 64)])
def test_the_strip_is_black_in_the_image_and_empty_in_the_masks(shape):
    for number in range(3):
        scene = SCENES["clouds"](scene_rng(0, number), shape, shape)
        assert scene.image.shape == (*shape, 3)
        assert scene.image.dtype == np.uint8
        assert not scene.visible.all()
        assert not scene.image[~scene.visible].any()
        assert scene.image[scene.visible].max(axis=1).min() > 0
        assert not scene.masks[:, ~scene.visible].any()
        assert not scene.regions[:, ~scene.visible].any()


def test_masks_have_their_own_shape_and_the_same_content():
    small = SCENES["clouds"](scene_rng(0, 4), (70, 105), (70, 105))
    large = SCENES["clouds"](scene_rng(0, 4), (70, 105), (1400, 2100))
    assert large.masks.shape == (4, 1400, 2100)
    np.testing.assert_array_equal(small.image, large.image)
    np.testing.assert_allclose(small.masks.mean(axis=(1, 2)), large.masks.mean(axis=(1, 2)), atol=0.02)


def test_a_pattern_stays_in_its_window():
    window = np.zeros((210, 315), np.float32)
    window[:, :150] = 1
    for draw in PATTERNS.values():
        thickness = draw(scene_rng(0, 0), (210, 315), window, 0.2)
        assert thickness.min() >= 0
        assert (thickness[:, :150] > 0.1).mean() > 0.05
        assert (thickness[:, 150:] > 0.1).mean() < 0.01


def test_flower_is_bright_and_sugar_is_fine():
    shape, window = (210, 315), np.ones((210, 315), np.float32)
    cover = {name: 1 - np.exp(-draw(scene_rng(0, 1), shape, window, 0.0)) for name, draw in PATTERNS.items()}
    grain = {name: np.abs(np.diff(field, axis=1)).mean() / field.std() for name, field in cover.items()}
    assert max(cover, key=lambda name: np.percentile(cover[name], 90)) == "Flower"
    assert max(grain, key=grain.__getitem__) == "Sugar"


def test_half_of_the_plates_have_no_defects_and_scratches_are_the_most_frequent():
    plates = [draw_defects(scene_rng(0, number)) for number in range(600)]
    counts = np.bincount([defect for plate in plates for defect in plate], minlength=4)
    assert np.mean([not plate for plate in plates]) == pytest.approx(0.47, abs=0.06)
    assert np.mean([len(plate) > 1 for plate in plates]) < 0.08
    assert counts.argmax() == 2
    assert counts.argmin() == 1


def test_a_plate_has_the_defects_of_its_masks():
    for number in range(20):
        scene = SCENES["severstal"](scene_rng(0, number), (64, 400), (256, 1600))
        assert scene.masks.shape == (4, 256, 1600)
        assert (scene.image == scene.image[..., :1]).all()
        np.testing.assert_array_equal(scene.masks.any(axis=(1, 2)), scene.presence)


@pytest.mark.parametrize("draw", DEFECTS)
def test_every_defect_covers_a_small_part_of_the_plate(draw):
    changed = np.mean([np.abs(draw(scene_rng(0, number), (128, 800))) > 0.05 for number in range(5)])
    assert 0.0002 < changed < 0.15


def test_noise_has_mean_0_and_deviation_1():
    for field in (band_noise(scene_rng(0, 0), (70, 105), 0.05), power_noise(scene_rng(0, 0), (70, 105), 0.3, 2.5)):
        assert field.dtype == np.float32
        assert field.mean() == pytest.approx(0, abs=0.05)
        assert field.std() == pytest.approx(1, abs=0.05)


def test_warp_moves_the_field():
    field = np.arange(20, dtype=np.float32).reshape(4, 5)
    ones = np.ones_like(field)
    np.testing.assert_allclose(warp(field, ones, 2 * ones)[:3, :3], field[1:, 2:], atol=0.01)
    np.testing.assert_allclose(warp(field, 0 * ones, ones / 2)[:, :4], field[:, :4] + 0.5, atol=0.01)
