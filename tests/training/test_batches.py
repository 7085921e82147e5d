from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nephoscope.data.manifest import Manifest
from nephoscope.masks.geometry import resize_mask, to_planes
from nephoscope.settings.training import Augmentation, TrainSegmenter
from nephoscope.training import sampling
from nephoscope.training.augmentation import Arrays, Augment, Box, Sample, cut_and_mix, draw_box
from nephoscope.training.loaders import (
    Batch,
    CachedImages,
    ResumableLoader,
    make_train_loader,
    make_validation_loader,
    resize_sample,
)
from nephoscope.training.members import Member, list_members, member_rows
from nephoscope.training.metrics import unpack
from nephoscope.training.sampling import Shuffled, balance
from tests.builders.blobs import blobs_in

NONE = {"horizontal_flip": 0, "vertical_flip": 0}


def sample() -> Sample:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    return Sample(image, image[..., 0] % 4, image[..., 0] > 9)


def test_flips_move_image_truth_and_visible_together() -> None:
    flipped = Augment(Augmentation(horizontal_flip=1, vertical_flip=1))(sample(), seed=0)
    for moved, still in zip(flipped, sample(), strict=True):
        assert (moved == still[::-1, ::-1]).all()


@pytest.mark.parametrize("step", ["rotation", "grid_distortion", "shift_scale_rotate", "brightness"])
def test_the_same_seed_gives_the_same_image(step: str) -> None:
    augment = Augment(Augmentation.model_validate({**NONE, step: 1.0}))
    big = Sample(*(np.kron(array, np.ones((16, 16, *[1] * (array.ndim - 2)), array.dtype)) for array in sample()))
    first, same, other = augment(big, 1), augment(big, 1), augment(big, 2)
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("step", ["rotation", "grid_distortion", "shift_scale_rotate"])
def test_more_than_eight_classes_move_as_eight_do(step: str) -> None:
    augment, planes = Augment(Augmentation.model_validate({**NONE, step: 1.0})), np.zeros((64, 96), np.uint8)
    planes[10:40, 20:70] = 1
    image, visible = np.full((64, 96, 3), 200, np.uint8), np.ones((64, 96), bool)
    few = augment(Sample(image, planes, visible), 5).planes
    for bit in (9, 31):
        many = augment(Sample(image, planes.astype(np.int32) << bit, visible), 5).planes
        assert many.dtype == np.int32
        assert (few == (many >> bit & 1)).all()


def test_more_than_eight_classes_are_resized_and_unpacked() -> None:
    masks = np.zeros((32, 8, 12), bool)
    for index in range(32):
        masks[index, index % 8, index % 12 :] = True
    small = Sample(np.zeros((8, 12, 3), np.uint8), to_planes(masks), np.ones((8, 12), bool))
    resized = torch.from_numpy(np.asarray(resize_sample(small, (16, 24)).planes))[None]
    expected = np.stack([resize_mask(mask, (16, 24)) for mask in masks])
    assert (unpack(resized, 32)[0].numpy() == expected).all()


def test_pixels_rotated_in_from_outside_are_invisible() -> None:
    full = Sample(np.full((64, 96, 3), 200, np.uint8), np.ones((64, 96), np.uint8), np.ones((64, 96), bool))
    turned = Augment(Augmentation.model_validate({**NONE, "rotation": 1.0, "rotation_degrees": 45}))(full, 3)
    assert not turned.visible.all()
    assert (turned.planes[~turned.visible] == 0).all()


def test_cutmix_takes_the_box_and_its_truth_from_the_image_before() -> None:
    images = np.stack([np.full((2, 4, 3), value, np.uint8) for value in (10, 20, 30)])
    planes, visible = images[..., 0] // 10, np.array([[[shown] * 4] * 2 for shown in (True, True, False)])
    mixed = cut_and_mix(Arrays(images, planes, visible, np.eye(3, dtype=np.float32)), Box(0, 0, 2, 1))
    assert mixed.images[0, :, :, 0].tolist() == [[30, 10, 10, 10]] * 2
    assert mixed.planes[1].tolist() == [[1, 2, 2, 2]] * 2
    assert mixed.visible[0].tolist() == [[False, True, True, True]] * 2
    assert mixed.presence == pytest.approx(np.array([[0.75, 0, 0.25], [0.25, 0.75, 0], [0, 0.25, 0.75]]))


@given(st.integers(0, 2**16))
def test_a_box_lies_inside_the_image(seed: int) -> None:
    box = draw_box((5, 9), np.random.default_rng(seed))
    assert 0 <= box.top <= box.bottom <= 5
    assert 0 <= box.left <= box.right <= 9


def test_balanced_sampling_draws_every_combination_equally_often() -> None:
    presence = np.array([[True, False]] * 9 + [[False, True]])
    sampler = Shuffled(np.arange(10), seed=0, weights=balance(presence))
    drawn = []
    for epoch in range(200):
        sampler.set_epoch(epoch)
        drawn += [draw.row for draw in sampler]
    assert np.mean(np.array(drawn) == 9) == pytest.approx(0.5, abs=0.05)


def test_every_epoch_has_every_row_once_in_a_new_order() -> None:
    sampler = Shuffled(np.arange(10), seed=0)
    first = [draw.row for draw in sampler]
    sampler.set_epoch(1)
    second = [draw.row for draw in sampler]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_another_seed_gives_another_order() -> None:
    assert list(Shuffled(np.arange(10), seed=0)) != list(Shuffled(np.arange(10), seed=1))


@pytest.mark.parametrize("process", [(0, 1), (0, 2), (1, 2)])
def test_an_epoch_resumes_where_it_stopped(monkeypatch: pytest.MonkeyPatch, process: tuple[int, int]) -> None:
    monkeypatch.setattr(sampling, "process", lambda: process)
    whole = list(Shuffled(np.arange(10), seed=0))
    rest = Shuffled(np.arange(10), seed=0)
    rest.skipped = 3
    assert list(rest) == whole[3:]


def test_cutmix_mixes_its_share_of_the_training_batches_only(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    images = CachedImages(artifacts.prepare.cache, np.tile(np.eye(2, dtype=bool), (32, 1)), (8, 12))
    mixed = {}
    for share in (0.0, 0.5, 1.0):
        params = TrainSegmenter.model_validate({"batch_size": 2, "augmentation": {"cutmix": share}})
        loader = make_train_loader(images, np.arange(32), params, seed=0)
        batches = [batch for epoch in range(4) for batch in _epoch(loader, epoch)]
        mixed[share] = np.mean([bool(((batch.presence > 0) & (batch.presence < 1)).any()) for batch in batches])
        for batch in make_validation_loader(images, np.arange(8), params):
            assert set(batch.presence.unique().tolist()) <= {0, 1}
    assert mixed[0.0] == 0
    assert 0 < mixed[0.5] < mixed[1.0]
    assert mixed[1.0] > 0.3  # half of the pairs have the same classes


def _epoch(loader: ResumableLoader, epoch: int) -> list[Batch]:
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_batches_have_the_types_and_shapes_of_the_networks(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    manifest = Manifest.load(artifacts.prepare.manifest)
    pictures = CachedImages(artifacts.prepare.cache, manifest.presence(), (16, 24))
    params = TrainSegmenter(batch_size=8)
    batch = next(iter(make_train_loader(pictures, manifest.rows("train"), params, seed=0)))
    assert (batch.images.shape, batch.images.dtype) == ((8, 3, 16, 24), torch.uint8)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.planes.shape == batch.visible.shape == (8, 16, 24)
    shown = torch.stack([(batch.planes >> bit & 1).flatten(1).any(1) for bit in range(2)], dim=1)
    assert torch.equal(shown, batch.presence > 0)
    image_count = sum(
        len(batch.images) for batch in make_validation_loader(pictures, manifest.rows("validation"), params)
    )
    assert image_count == len(manifest.rows("validation"))


def test_members_of_folds_share_the_pool_without_holdout(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, folds=3)
    manifest = Manifest.load(artifacts.prepare.manifest)
    members = list_members((0,), 3)
    held_out = [member_rows(member, manifest)[1] for member in members]
    assert sorted(np.concatenate(held_out)) == manifest.tuning_rows().tolist()
    for member in members:
        train, validation = (set(rows.tolist()) for rows in member_rows(member, manifest))
        assert not train & validation
        assert not (train | validation) & set(manifest.rows("holdout").tolist())


def test_without_folds_there_is_one_member_per_seed(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    manifest = Manifest.load(artifacts.prepare.manifest)
    rows, validation_rows = member_rows(Member("seed0", 0, -1), manifest)
    assert rows.tolist() == manifest.rows("train").tolist()
    assert validation_rows.tolist() == manifest.rows("validation").tolist()
