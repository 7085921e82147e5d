"""Training of small networks: outputs, resuming after a kill, and the effect of settings."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.models.segmenter import build_segmenter
from nephoscope.models.weights import read_bundled
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training import fit
from nephoscope.training.augmentation import Augment
from nephoscope.training.callbacks import History, Unfreezing
from nephoscope.training.fit import build_task
from nephoscope.training.loaders import CachedImages, make_train_loader
from nephoscope.training.members import Member, list_phases
from nephoscope.training.train import best_checkpoint, find_weights, resume_key, train_members
from tests.builders.blobs import blobs_in
from tests.builders.killing import die, exit_code_of
from tests.builders.training_runs import classifier, fix_scores, same, segmenter, train, watch, weights_of


def test_a_segmenter_finds_the_discs(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    train(segmenter(epochs=8, optimiser={"decoder_rate": 0.03}), artifacts)
    assert read_json(artifacts.train_segmenter.metrics)["score"] > 0.8


def test_a_classifier_recognises_the_discs(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, count=96)
    params = classifier(epochs=6, encoder="resnet10t", optimiser={"encoder_rate": 3e-3, "decoder_rate": 3e-3})
    train(params, artifacts)
    assert read_json(artifacts.train_classifier.metrics)["score"] > 0.9


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    runs = [blobs_in(tmp_path / name) for name in "ab"]
    first, second = (train(segmenter(), run) for run in runs)
    assert first.read_bytes() == second.read_bytes()
    for path in (lambda run: run.train_segmenter.history, lambda run: run.train_segmenter.metrics):
        assert path(runs[0]).read_bytes() == path(runs[1]).read_bytes()


def test_every_member_is_kept_with_its_history(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, folds=2)
    train(segmenter(seeds=[0, 7], epochs=1), artifacts)
    names = ["seed0-fold0", "seed0-fold1", "seed7-fold0", "seed7-fold1"]
    assert sorted(path.stem for path in artifacts.train_segmenter.members.iterdir()) == names
    history = pd.read_csv(artifacts.train_segmenter.history)
    assert history["member"].tolist() == names
    assert {"epoch", "train_loss", "validation_loss", "validation_dice", "decoder_rate"} <= set(history)
    assert not artifacts.train_segmenter.resume.exists()
    members = [load_checkpoint(artifacts.train_segmenter.members / f"{name}.safetensors") for name in names]
    scores = [metadata.score for _, metadata in members]
    assert read_json(artifacts.train_segmenter.metrics) == {"score": pytest.approx(np.mean(scores), abs=6e-4)}
    assert not same(members[0][0].state_dict(), members[2][0].state_dict())  # another seed, another network


def train_until_killed(params: TrainSegmenter, artifacts: Artifacts) -> None:
    """Train, and end the process before the second epoch is printed."""
    original = History._print

    def print_or_die(self: History, epoch: int, metrics: Any) -> None:
        if epoch == 1:
            die()
        original(self, epoch, metrics)

    History._print = print_or_die  # type: ignore[method-assign]
    train(params, artifacts)


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 4},
        {"epochs": 4, "ema_decay": 0.9},
        {"epochs": 4, "optimiser": {"schedule": "plateau"}},
        {"epochs": 1, "finetune": {"epochs": 3}},
    ],
)
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path, changes: dict[str, object]) -> None:
    killed, whole = blobs_in(tmp_path / "killed"), blobs_in(tmp_path / "whole")
    assert exit_code_of(train_until_killed, segmenter(**changes), killed) == 9
    assert not killed.train_segmenter.members.exists()
    resumed, uninterrupted = (train(segmenter(**changes), run) for run in (killed, whole))
    histories = [pd.read_csv(run.train_segmenter.history) for run in (killed, whole)]
    pd.testing.assert_frame_equal(*histories)
    assert same(weights_of(resumed), weights_of(uninterrupted))


def test_fine_tuning_starts_from_the_best_epoch_with_its_own_shape_and_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = blobs_in(tmp_path, count=32)
    fix_scores(monkeypatch, [0.375, 0.25, 0.125, 0.5])
    finetune = {"epochs": 2, "encoder_rate": 1e-12, "decoder_rate": 1e-12}
    params = segmenter(input_shape=(16, 24), optimiser={"schedule": "constant"}, finetune=finetune)
    watcher = watch(params, artifacts, tmp_path)
    history = pd.concat(pd.read_csv(tmp_path / phase / "history.csv") for phase in ("main", "finetune"))
    assert history["epoch"].tolist() == [0, 1, 2, 3]
    assert history["decoder_rate"].tolist() == [3e-3, 3e-3, 1e-12, 1e-12]
    network, metadata = load_checkpoint(best_checkpoint(list_phases(params, tmp_path)))
    assert (metadata.epoch, metadata.score, metadata.input_shape) == (3, 0.5, (32, 48))
    assert metadata.settings["finetune"]["epochs"] == 2
    for key, weight in network.named_parameters():
        torch.testing.assert_close(weight, watcher.weights[1][key], rtol=0, atol=1e-8)  # the end of the first epoch


def test_fine_tuning_has_its_own_warm_up_and_freezes_nothing(tmp_path: Path) -> None:
    finetune = {"epochs": 3, "encoder_rate": 0.1, "decoder_rate": 0.2, "warmup_share": 0.3}
    main, second = list_phases(classifier(frozen_epochs=1, finetune=finetune), tmp_path)
    assert (main.params.epochs, main.params.frozen_epochs, main.epochs_before) == (2, 1, 0)
    assert (second.params.epochs, second.params.frozen_epochs, second.epochs_before) == (3, 0, 2)
    optimiser = second.params.optimiser
    assert (optimiser.encoder_rate, optimiser.decoder_rate, optimiser.warmup_share) == (0.1, 0.2, 0.3)
    assert len(list_phases(classifier(), tmp_path)) == 1


def test_fine_tuning_that_gains_nothing_is_not_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = blobs_in(tmp_path, count=16)
    fix_scores(monkeypatch, [0.4, 0.5, 0.3, 0.5])
    path = train(segmenter(input_shape=(16, 24), finetune={"epochs": 2}), artifacts)
    _, metadata = load_checkpoint(path)
    assert (metadata.epoch, metadata.score, metadata.input_shape) == (1, 0.5, (16, 24))
    assert read_json(artifacts.train_segmenter.metrics) == {"score": 0.5}
    assert len(pd.read_csv(artifacts.train_segmenter.history)) == 4


def test_augmentation_and_losses_of_all_kinds_can_be_combined(tmp_path: Path) -> None:
    changes = {
        "loss": {"weighted_bce": 1, "cce": 0.5, "lovasz": 1},
        "augmentation": {"rotation": 0.5, "grid_distortion": 0.5, "cutmix": 1.0},
        "input_shape": [24, 40],
    }
    _, metadata = load_checkpoint(train(segmenter(epochs=1, **changes), blobs_in(tmp_path, count=32)))
    assert metadata.input_shape == (24, 40)


def test_a_changed_setting_starts_from_the_beginning(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    manifest = Manifest.load(artifacts.prepare.manifest)
    old = artifacts.train_segmenter.resume / resume_key(segmenter(), manifest, artifacts.prepare.cache)
    old.mkdir(parents=True)
    (old / "last.ckpt").write_text("not to be read")
    assert resume_key(segmenter(batch_size=4), manifest, artifacts.prepare.cache) != resume_key(
        segmenter(), manifest, artifacts.prepare.cache
    )
    train(segmenter(batch_size=4), artifacts)
    assert len(pd.read_csv(artifacts.train_segmenter.history)) == 2


def test_a_frozen_encoder_stays_unchanged_until_it_is_unfrozen(tmp_path: Path) -> None:
    networks = []
    for epochs in (1, 3):
        artifacts = blobs_in(tmp_path / str(epochs))
        params = classifier(
            epochs=epochs, frozen_epochs=1, encoder="tf_efficientnet_lite0", weights="bundled", monitor="loss",
            optimiser={"schedule": "constant", "decoder_rate": 1e-3},
        )  # fmt: skip
        train(params, artifacts)
        networks.append(load_checkpoint(artifacts.train_classifier.members / "seed0.safetensors")[0])
    initial = {key: value for key, value in read_bundled("tf_efficientnet_lite0").items() if "classifier" not in key}
    frozen, unfrozen = (network.encoder.state_dict() for network in networks)
    assert [key for key, value in initial.items() if not torch.equal(frozen[key], value)] == []  # statistics, too
    for part in ("conv_stem.weight", "bn1.running_mean"):
        assert not torch.equal(unfrozen[part], initial[part])


def test_a_frozen_encoder_has_no_dropout() -> None:
    network = build_segmenter("FPN", "timm-tf_efficientnet_lite0", 2).train()  # smp's has stochastic depth
    task = SimpleNamespace(network=network)
    unfreezing = Unfreezing(frozen_epochs=1, steps=2)
    pictures = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    for epoch, random in ((0, False), (1, True)):
        unfreezing.on_train_epoch_start(SimpleNamespace(current_epoch=epoch, world_size=1), task)  # type: ignore[arg-type]
        first, second = (network.encoder(network.normalise(pictures))[-1] for _ in range(2))
        assert torch.equal(first, second) is not random


def test_a_task_can_be_sent_to_another_process(tmp_path: Path) -> None:
    """Strategies that spawn processes pickle the task and the loader."""
    params, folder = segmenter(), blobs_in(tmp_path).prepare
    task = build_task(params, (32, 48), torch.tensor([0.5, 0.5]), seed=0, weights="none")
    pictures = CachedImages(folder.cache, np.ones((64, 2), bool), (32, 48), Augment(params.augmentation))
    loader = make_train_loader(pictures, np.arange(64), params, seed=0)
    received_task, received_loader = pickle.loads(pickle.dumps((task, loader)))
    assert same(received_task.state_dict(), task.state_dict())
    assert next(iter(received_loader)).images.shape == (8, 3, 32, 48)


def test_a_classifier_starts_from_the_segmenter_of_its_fold(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path, folds=2)
    folder = artifacts.train_segmenter.members
    train_members(segmenter(epochs=1, seeds=[3]), artifacts.prepare, artifacts.train_segmenter)
    for fold in range(2):
        weights = find_weights(Member(f"seed0-fold{fold}", 0, fold), "segmenter", folder)
        assert Path(weights) == folder / f"seed3-fold{fold}.safetensors"
    own = Member("seed3-fold1", 3, 1)
    assert Path(find_weights(own, "segmenter", folder)) == folder / "seed3-fold1.safetensors"
    assert find_weights(own, "bundled", folder) == "bundled"
    with pytest.raises(UserError, match=r"no segmenter for seed0; run `dvc repro train_segmenter`"):
        find_weights(Member("seed0", 0, -1), "segmenter", folder)


def test_other_initial_weights_are_another_run(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    manifest = Manifest.load(artifacts.prepare.manifest)
    start = tmp_path / "start.safetensors"
    keys = []
    for content in (b"one", b"two"):
        start.write_bytes(content)
        keys.append(resume_key(classifier(), manifest, artifacts.prepare.cache, [str(start)]))
    keys.append(resume_key(classifier(), manifest, artifacts.prepare.cache))
    assert len(set(keys)) == 3


def test_a_corrected_label_is_another_run(tmp_path: Path) -> None:
    artifacts = blobs_in(tmp_path)
    manifest = Manifest.load(artifacts.prepare.manifest)
    before = resume_key(classifier(), manifest, artifacts.prepare.cache)
    truth = np.load(artifacts.prepare.cache / "truth.npy", mmap_mode="r+")
    truth[0] ^= 1
    truth.flush()
    assert resume_key(classifier(), manifest, artifacts.prepare.cache) != before


def shares(params: TrainClassifier | TrainSegmenter) -> list[float]:
    """Three images: two show a (on 10 % and 50 %), one of these also b (on 20 %), and one shows nothing."""
    metadata = Metadata("clouds", ("a", "b"), (64, 96), (64, 96), (32, 48), 0)
    images = pd.DataFrame({"area_a": [0.1, 0.5, 0.0], "area_b": [0.2, 0.0, 0.0]})
    return fit._positive_shares(params, Manifest(metadata, images), np.arange(3)).tolist()


def test_shares_of_positives_count_only_relevant_pixels() -> None:
    assert shares(classifier()) == pytest.approx([2 / 3, 1 / 3])
    assert shares(segmenter()) == pytest.approx([0.2, 0.2 / 3])
    assert shares(segmenter(pictures="positives")) == pytest.approx([0.3, 0.2])


def test_shares_of_positives_follow_the_sampling() -> None:
    # Balanced sampling changes nothing if every image has its own combination; two empty images share one weight.
    assert shares(segmenter(sampling="balanced")) == pytest.approx([0.2, 0.2 / 3])
    metadata = Metadata("clouds", ("a", "b"), (64, 96), (64, 96), (32, 48), 0)
    images = pd.DataFrame({"area_a": [0.1, 0.5, 0.0, 0.0], "area_b": [0.2, 0.0, 0.0, 0.0]})
    drawn_shares = fit._positive_shares(classifier(sampling="balanced"), Manifest(metadata, images), np.arange(4))
    assert drawn_shares.tolist() == pytest.approx([2 / 3, 1 / 3])
