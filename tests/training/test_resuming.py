"""A run that is killed in the middle of an epoch resumes with the next batch."""

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lightning.pytorch import Trainer

from nephoscope.artifacts import Artifacts
from nephoscope.training import fit
from nephoscope.training.callbacks import History
from tests.builders.blobs import blobs_in
from tests.builders.killing import die, exit_code_of
from tests.builders.training_runs import same, segmenter, train, weights_of


def run(artifacts: Artifacts, changes: dict[str, object]) -> Path:
    """Train, saving after every batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "SAVE_EVERY", timedelta(microseconds=1))
        return train(segmenter(epochs=3, **changes), artifacts)


def run_until_killed(artifacts: Artifacts, changes: dict[str, object], killed_at: str) -> None:
    """Train, and die in the second epoch: after its third batch, or before its validation."""

    def die_midway(_: History, trainer: Trainer, *rest: Any) -> None:
        batch = rest[-1]
        if (trainer.current_epoch, batch) == (1, 2):
            die()

    def die_before_validation(_: History, trainer: Trainer, *__: Any) -> None:
        if trainer.current_epoch == 1:
            die()

    if killed_at == "midway":
        History.on_train_batch_end = die_midway  # type: ignore[method-assign]
    else:
        History.on_validation_start = die_before_validation  # type: ignore[method-assign]
    run(artifacts, changes)


def run_until_terminated(artifacts: Artifacts) -> None:
    """Train, and receive SIGTERM in the second epoch, as from a scheduler."""

    def terminate(_: History, trainer: Trainer, *__: Any) -> None:
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    History.on_validation_start = terminate  # type: ignore[method-assign]
    run(artifacts, {})


def test_a_terminated_run_does_not_look_finished(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    assert exit_code_of(run_until_terminated, artifacts) == 1
    assert not (artifacts.train_segmenter.members / "seed0.safetensors").exists()


@pytest.mark.parametrize(
    ("killed_at", "changes"),
    [
        ("midway", {"sampling": "balanced", "optimiser": {"schedule": "plateau"}}),
        ("midway", {"ema_decay": 0.9, "machine": {"accelerator": "cpu", "workers": 1}}),
        ("midway", {"batch_size": 4, "machine": {"accelerator": "cpu", "devices": 2, "strategy": "ddp_fork"}}),
        ("validation", {"optimiser": {"schedule": "plateau"}}),
    ],
)
def test_no_batch_and_no_validation_is_repeated_or_skipped(
    tmp_path: Path, killed_at: str, changes: dict[str, object]
) -> None:
    killed, whole = blobs_in(tmp_path / "killed"), blobs_in(tmp_path / "whole")
    # With several processes, the one that started them ends with 1.
    assert exit_code_of(run_until_killed, killed, changes, killed_at) in (1, 9)
    assert list(killed.train_segmenter.resume.rglob("last.ckpt"))
    # In processes of their own, too: loader processes forked from one with many threads can crash it.
    assert [exit_code_of(run, artifacts, changes) for artifacts in (killed, whole)] == [0, 0]
    resumed, uninterrupted = (artifacts.train_segmenter.members / "seed0.safetensors" for artifacts in (killed, whole))
    assert same(weights_of(resumed), weights_of(uninterrupted))
    histories = [pd.read_csv(run.train_segmenter.history) for run in (killed, whole)]
    pd.testing.assert_frame_equal(*histories)
