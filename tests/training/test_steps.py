"""What a training step does: EMA, clipping, rates, and the epoch that is kept."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.models.classifier import build_classifier
from nephoscope.training.callbacks import Unfreezing
from nephoscope.training.ema import ExponentialMovingAverage
from nephoscope.training.fit import build_trainer
from nephoscope.training.members import Member
from nephoscope.training.tasks import SegmenterTask
from tests.builders.blobs import blobs_in
from tests.builders.training_runs import classifier, fix_scores, same, segmenter, watch


def test_ema_is_saved_and_leaves_the_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = blobs_in(tmp_path, count=32)
    fix_scores(monkeypatch, [0.1, 0.2] * 2)
    plain = watch(segmenter(), artifacts, tmp_path / "plain")
    averaged = watch(segmenter(ema_decay=0.3), artifacts, tmp_path / "averaged")
    assert len(plain.weights) == len(averaged.weights) == 4
    assert all(same(*pair) for pair in zip(plain.weights, averaged.weights, strict=True))
    network, _ = load_checkpoint(tmp_path / "averaged" / "main" / "best.safetensors")
    for key, value in network.state_dict().items():
        expected = plain.weights[0][key]
        for count, weights in enumerate(plain.weights[1:], 1):
            decay = min(0.3, (1 + count) / (10 + count))
            expected = decay * expected + (1 - decay) * weights[key] if expected.is_floating_point() else weights[key]
        torch.testing.assert_close(value, expected, msg=key)


def test_ema_equals_that_of_pytorch_when_its_window_is_constant() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    decay = 0.09  # shorter than the growing window of the first steps
    ours = AveragedModel(network, multi_avg_fn=ExponentialMovingAverage(decay)._kwargs["multi_avg_fn"])
    torchs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))
    for _ in range(5):
        with torch.no_grad():
            for weight in network.parameters():
                weight += torch.randn_like(weight)
        ours.update_parameters(network)
        torchs.update_parameters(network)
    for mine, theirs in zip(ours.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_are_clipped_to_the_given_norm(tmp_path: Path, precision: str) -> None:
    artifacts = blobs_in(tmp_path, count=32)
    machine = {"accelerator": "cpu", "precision": precision}
    free = watch(segmenter(epochs=1, gradient_clip=None, machine=machine), artifacts, tmp_path / "free")
    clipped = watch(segmenter(epochs=1, gradient_clip=0.01, machine=machine), artifacts, tmp_path / "clipped")
    assert min(free.gradient_norms) > 0.02
    assert clipped.gradient_norms == pytest.approx([0.01] * 2, rel=1e-3)


@pytest.mark.parametrize(("setting", "precision"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_the_precision_is_that_of_the_settings(setting: str, precision: str) -> None:
    trainer = build_trainer(segmenter(machine={"accelerator": "cpu", "precision": setting}), [])
    assert trainer.precision == precision


def test_rates_follow_the_schedule_over_all_steps_of_a_training(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, count=32)
    optimiser = {"schedule": "cosine", "warmup_share": 0.5, "encoder_rate": 0.001, "decoder_rate": 0.01}
    rates = watch(classifier(optimiser=optimiser), artifacts, tmp_path).rates
    shares = [1 / 3, 2 / 3, 1, 0.5]  # two epochs of two steps
    assert [step["encoder"] for step in rates] == pytest.approx([0.001 * share for share in shares])
    assert [step["decoder"] for step in rates] == pytest.approx([0.01 * share for share in shares])


def test_a_seed_chooses_the_initial_weights(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, count=16)
    params = segmenter(epochs=1, optimiser={"decoder_rate": 1e-12})
    watchers = [watch(params, artifacts, tmp_path / name, Member(name, int(name), -1)) for name in "01"]
    first, second = (watcher.weights[0]["body.head.weight"] for watcher in watchers)
    assert (first - second).abs().max() > 0.01


RISING, FALLING = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize("monitor", ["dice", "pr_auc", "loss"])
@pytest.mark.parametrize("improving", [True, False])
def test_the_monitor_chooses_the_epoch_stops_the_training_and_lowers_the_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str, improving: bool
) -> None:
    values = RISING if improving is (monitor != "loss") else FALLING
    if monitor == "loss":
        monkeypatch.setattr(
            SegmenterTask, "compare", lambda task, logits, _: 0 * logits.sum() + values[task.current_epoch]
        )
    else:
        fix_scores(monkeypatch, values)
    optimiser = {"schedule": "plateau", "plateau_patience": 0, "plateau_factor": 0.5, "decoder_rate": 0.01}
    params = segmenter(epochs=4, patience=2, monitor=monitor, optimiser=optimiser)
    watcher = watch(params, blobs_in(tmp_path, count=16), tmp_path)
    _, metadata = load_checkpoint(tmp_path / "main" / "best.safetensors")
    history = pd.read_csv(tmp_path / "main" / "history.csv")
    rates = [step["decoder"] for step in watcher.rates]
    if improving:
        assert (metadata.epoch, abs(metadata.score)) == (3, pytest.approx(values[3]))
        assert rates == [0.01] * 4
    else:
        assert (metadata.epoch, abs(metadata.score)) == (0, pytest.approx(values[0]))
        assert rates == [0.01, 0.01, 0.005]  # the second epoch without gain is the last
    for column in {"loss": ["train_loss", "validation_loss"]}.get(monitor, [f"validation_{monitor}"]):
        assert history[column].tolist() == pytest.approx(values[: len(history)])


def layers_and_task(processes: int) -> tuple[list[nn.Module], Unfreezing, object, object]:
    network = build_classifier("resnet10t", 2, (32, 32)).train()
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)

    class Task:
        def __init__(self) -> None:
            self.network = network

    class Trainer:
        current_epoch, world_size = 0, processes

    return network.encoder_layers(), Unfreezing(frozen_epochs=1, steps=2), Task(), Trainer()


@pytest.mark.parametrize("processes", [1, 2])
def test_layers_are_unfrozen_in_steps_the_deepest_first(processes: int) -> None:
    layers, unfreezing, task, trainer = layers_and_task(processes)
    for epoch, frozen in ((0, len(layers)), (1, (len(layers) + 1) // 2), (2, 0)):
        trainer.current_epoch = epoch  # type: ignore[attr-defined]
        for weight in (weight for layer in layers for weight in layer.parameters(recurse=False)):
            weight.grad = torch.ones_like(weight)
        unfreezing.on_train_epoch_start(trainer, task)  # type: ignore[arg-type]
        unfreezing.on_before_optimizer_step()
        for index, layer in enumerate(layers):
            assert layer.training is (index >= frozen)
            for weight in layer.parameters(recurse=False):
                assert (weight.grad is None) is (index < frozen)
                # Processes exchange the gradients of all layers, so none is switched off.
                assert weight.requires_grad is (index >= frozen or processes == 2)
