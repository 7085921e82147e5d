"""Callbacks: saving is atomic, and an epoch without a valid score is never the best."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.training import callbacks, fit
from nephoscope.training.callbacks import SaveBest, SaveState
from nephoscope.training.tasks import ClassifierTask
from nephoscope.training.train import train_members
from tests.builders.blobs import blobs_in
from tests.builders.training_runs import batch, classifier, planes

METADATA = NetworkMetadata(
    kind="classifier", architecture="tiny", encoder="tiny", input_shape=(4, 6),
    data=Metadata("clouds", ("a", "b"), (4, 6), (4, 6), (4, 6)), member="seed0", seed=0, fold=-1, epoch=-1,
    score=float("-inf"), settings={},
)  # fmt: skip


def test_an_interrupted_save_keeps_the_previous_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save_half(_: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    path = tmp_path / "resume" / "last.ckpt"
    SaveState().save_checkpoint({"epoch": 3}, path)
    monkeypatch.setattr(torch, "save", save_half)
    with pytest.raises(KeyboardInterrupt):
        SaveState().save_checkpoint({"epoch": 4}, path)
    assert SaveState().load_checkpoint(path, weights_only=True) == {"epoch": 3}


def test_an_epoch_without_a_score_is_never_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[tuple[int, float]] = []
    monkeypatch.setattr(
        callbacks, "save_checkpoint", lambda _path, _network, metadata: saved.append((metadata.epoch, metadata.score))
    )
    save_best = SaveBest(tmp_path / "best.safetensors", METADATA, "pr_auc", epochs_before=10)
    for epoch, score in enumerate([float("nan"), 0.4, float("nan"), 0.6, 0.5]):
        metrics = {"validation_pr_auc": score}
        trainer = SimpleNamespace(callback_metrics=metrics, current_epoch=epoch, is_global_zero=True)
        save_best.on_validation_end(trainer, SimpleNamespace(network=None))
    assert saved == [(11, 0.4), (13, 0.6)]


def test_a_run_without_a_valid_score_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = blobs_in(tmp_path, count=8)
    trainer = SimpleNamespace(fit=lambda *_, **__: None, interrupted=False, is_global_zero=True, world_size=1)
    monkeypatch.setattr(fit, "build_trainer", lambda *_: trainer)
    with pytest.raises(UserError, match=r"seed0: no epoch has a valid pr_auc; .* monitor: loss"):
        train_members(classifier(), artifacts.prepare, artifacts.train_classifier)
    assert not artifacts.train_classifier.members.exists()
    assert not list(artifacts.train_classifier.resume.rglob("finished"))


def test_nan_in_validation_is_an_error() -> None:
    task = ClassifierTask(lambda _: torch.full((3, 2), torch.nan), classifier(), torch.ones(2), seed=0)
    task.on_validation_epoch_start()
    with pytest.raises(UserError, match=r"the network returns NaN; .* smaller encoder_rate and decoder_rate"):
        task.validation_step(batch(planes()), 0)
