"""Which images reach the gradients, which choose the epoch, and how processes share them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer

from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.training import fit
from nephoscope.training.loaders import CachedImages, make_train_loader, make_validation_loader
from nephoscope.training.members import Member
from nephoscope.training.metrics import PixelMetrics
from nephoscope.training.sampling import Draw
from nephoscope.training.tasks import SegmenterTask
from nephoscope.training.train import train_members
from tests.builders.blobs import blobs_in
from tests.builders.training_runs import MACHINE, classifier, segmenter, train, watch


def test_gradients_see_train_and_the_epoch_is_chosen_on_validation(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, count=32)
    manifest = Manifest.load(artifacts.prepare.manifest)
    watcher = watch(classifier(epochs=1), artifacts, tmp_path)
    assert sorted(watcher.augmented_rows) == manifest.rows("train").tolist()
    assert watcher.plain_rows == manifest.rows("validation").tolist()


def test_a_member_of_a_fold_trains_on_the_others_and_its_own_chooses_the_epoch(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, count=32, folds=3)
    fold = Manifest.load(artifacts.prepare.manifest).images["fold"].to_numpy()
    watcher = watch(segmenter(epochs=1, batch_size=4), artifacts, tmp_path, Member("seed0-fold1", 0, 1))
    assert sorted(watcher.augmented_rows) == np.flatnonzero((fold == 0) | (fold == 2)).tolist()
    assert watcher.plain_rows == np.flatnonzero(fold == 1).tolist()


def test_positives_leaves_out_images_without_a_class_from_training_only(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, count=64)
    manifest = Manifest.load(artifacts.prepare.manifest)
    watcher = watch(segmenter(epochs=1, batch_size=1, pictures="positives"), artifacts, tmp_path)
    train_rows = manifest.rows("train")
    shown = train_rows[manifest.presence(train_rows).any(axis=1)]
    assert len(shown) < len(train_rows)
    assert sorted(watcher.augmented_rows) == shown.tolist()
    assert watcher.plain_rows == manifest.rows("validation").tolist()


@pytest.mark.parametrize("params", [classifier(loss={"weighted_bce": 1.0}), segmenter(loss={"weighted_bce": 1.0})])
def test_weights_of_classes_come_from_train_rows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Any
) -> None:
    artifacts = blobs_in(tmp_path, count=32)
    manifest = Manifest.load(artifacts.prepare.manifest)
    areas = manifest.images.loc[manifest.rows("train"), ["area_a", "area_b"]]
    shares, build = [], fit.build_task
    monkeypatch.setattr(fit, "build_task", lambda *values: shares.append(values[2]) or build(*values))
    watch(params.model_copy(update={"epochs": 1}), artifacts, tmp_path)
    expected = (areas > 0).mean() if params.monitor == "pr_auc" else areas.mean()
    assert shares[0].tolist() == pytest.approx(expected.tolist())


def test_the_loader_draws_every_combination_of_classes_equally_often(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    presence = np.zeros((64, 2), bool)
    presence[:, 0] = True
    presence[[3, 40], 1] = True  # two of the rows below show both
    rows = np.arange(2, 42)
    images = CachedImages(artifacts.prepare.cache, presence, (8, 12))
    shares = {}
    for sampling in ("shuffled", "balanced"):
        loader = make_train_loader(images, rows, classifier(sampling=sampling), seed=0)
        drawn = []
        for epoch in range(10):
            loader.sampler.set_epoch(epoch)
            drawn += [batch.presence for batch in loader]
        shares[sampling] = torch.cat(drawn)[:, 1].mean().item()
    assert shares == {"shuffled": pytest.approx(0.05), "balanced": pytest.approx(0.5, abs=0.08)}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_more_processes_than_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str) -> None:
    artifacts = blobs_in(tmp_path, count=16)
    manifest = Manifest.load(artifacts.prepare.manifest)
    kept = manifest.images["split"] != split
    kept[manifest.rows(split)[0]] = True
    manifest.images.loc[~kept, "split"] = "holdout"
    manifest.save(artifacts.prepare.manifest)
    monkeypatch.setattr(fit, "build_trainer", lambda *_: SimpleNamespace(world_size=2))
    with pytest.raises(UserError, match=rf"seed0: 2 processes, but 1 image\(s\) for {split}; lower machine\.devices"):
        train_members(segmenter(), artifacts.prepare, artifacts.train_segmenter)


def test_a_trainer_knows_its_processes_before_it_starts_them() -> None:
    machine = {"accelerator": "cpu", "devices": 2, "nodes": 3, "strategy": "ddp"}
    trainer: Trainer = fit.build_trainer(segmenter(machine=machine), [])
    assert trainer.world_size == 6


def record_rows(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Every process writes what it reads, and the losses of its steps, into files of its own."""
    read, step = CachedImages.__getitem__, SegmenterTask.training_step

    def write(kind: str, value: object) -> None:
        rank = torch.distributed.get_rank()
        with (folder / f"{kind}-{rank}.txt").open("a") as file:
            print(value, file=file)

    def read_and_record(images: CachedImages, draw: Draw) -> Any:
        write("validation" if images.augment is None else "train", draw.row)
        return read(images, draw)

    def step_and_record(task: SegmenterTask, *values: Any) -> torch.Tensor:
        loss = step(task, *values)
        write("loss", loss.item())
        return loss

    monkeypatch.setattr(CachedImages, "__getitem__", read_and_record)
    monkeypatch.setattr(SegmenterTask, "training_step", step_and_record)


def test_two_processes_share_the_images_and_score_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = blobs_in(tmp_path / "run", count=28)  # 14 for training, 7 for validation
    manifest = Manifest.load(artifacts.prepare.manifest)
    params = segmenter(epochs=1, batch_size=1, machine=MACHINE | {"devices": 2, "strategy": "ddp_fork"})
    with monkeypatch.context() as patch:
        record_rows(patch, tmp_path)
        path = train(params, artifacts)
    recorded = {
        kind: [[float(line) for line in (tmp_path / f"{kind}-{rank}.txt").read_text().split()] for rank in range(2)]
        for kind in ("train", "validation", "loss")
    }
    for split in ("train", "validation"):
        first, second = recorded[split]
        assert len(first) - len(second) in (0, 1)
        assert sorted(first + second) == manifest.rows(split).tolist()  # disjoint, and all
    history = pd.read_csv(artifacts.train_segmenter.history)
    assert history["train_loss"].item() == pytest.approx(np.mean(recorded["loss"]), rel=1e-5)

    network, metadata = load_checkpoint(path)
    images = CachedImages(artifacts.prepare.cache, manifest.presence(), metadata.input_shape)
    metrics = PixelMetrics(params.top_fraction)
    with torch.inference_mode():
        for batch in make_validation_loader(images, manifest.rows("validation"), segmenter()):
            metrics.add(network(batch.images), batch)
    assert metrics.scores() == {
        "dice": pytest.approx(metadata.score),
        "pr_auc": pytest.approx(history["validation_pr_auc"].item()),
    }
