"""The GPU recipe: its soft targets and students can be used, and its commands start."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from recipes.gpu import finetune, packed_maps
from recipes.gpu.augment import SoftTargets
from recipes.gpu.data import Data
from recipes.gpu.export_student import load_student
from recipes.gpu.finetune import begin, renew_statistics
from recipes.gpu.network import Settings
from recipes.gpu.soft_targets import read_targets

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "gpu"
STUDENTS = sorted((RECIPE / "students").glob("*.safetensors"))


def test_soft_targets_belong_to_the_images_of_the_folds() -> None:
    targets = read_targets(RECIPE / "soft-targets.npz")
    folds = pd.read_csv(RECIPE / "students" / "folds.csv")
    assert targets.image_ids.tolist() == folds["image_id"].tolist()
    assert targets.fold.tolist() == folds["fold"].tolist()
    assert len(set(targets.image_ids)) == len(folds) == 4542
    assert targets.maps.shape == (4542, 4, 48, 72)
    assert targets.maps.max() > 200
    assert targets.presence.shape == (4542, 4)
    assert ((targets.presence >= 0) & (targets.presence <= 1)).all()


def test_packed_maps_are_restored_exactly() -> None:
    maps = np.random.default_rng(0).integers(0, 32, (3, 4, 5, 7), dtype=np.uint8)
    assert (packed_maps.unpack_part(packed_maps.pack_part(maps), (4, 5, 7)) == maps).all()


def test_there_is_a_student_of_every_fold_and_a_final_one() -> None:
    names = [path.stem.removeprefix("student-coarse-") for path in STUDENTS]
    assert names == ["final0", "fold0", "fold1", "fold2", "fold3", "fold4"]


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_a_student_loads_as_segmenter_and_classifier(path: Path) -> None:
    segmenter, classifier = load_student(path)
    stored = load_file(path)
    kernel = "blocks.0.0.conv_dw.weight"
    expected = stored[f"segmenter.encoder.model.{kernel}"].float()
    assert torch.equal(segmenter.state_dict()[f"body.encoder.model.{kernel}"], expected)
    assert torch.equal(classifier.state_dict()[f"body.{kernel}"], expected)
    assert torch.equal(classifier.state_dict()["body.classifier.weight"], stored["classifier.weight"].float())


@torch.inference_mode()
def test_a_student_returns_finite_logits() -> None:
    segmenter, classifier = load_student(STUDENTS[0])
    images = torch.full((1, 3, 192, 288), 90.0)
    masks, presence = segmenter(images), classifier(images)
    assert masks.shape == (1, 4, 192, 288)
    assert presence.shape == (1, 4)
    assert masks.isfinite().all()
    assert presence.isfinite().all()


def test_the_commands_of_the_run_are_listed() -> None:
    command = [sys.executable, "-m", "recipes.gpu.run", "--help"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in ("profile", "teacher", "student", "collect"):
        assert name in listed


def small_data() -> Data:
    """Six random images; three are of fold 0."""
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (6, 3, 192, 288), dtype=np.uint8))
    planes = torch.from_numpy(255 * random.integers(0, 2, (6, 5, 192, 288), dtype=np.uint8))
    presence = planes[:, :4].amax((2, 3)).float() / 255
    return Data(np.array(list("abcdef")), np.array([0, 0, 0, 1, 1, 1]), presence, planes, images)


@torch.no_grad()
def test_statistics_are_those_of_the_chosen_images() -> None:
    settings, rows = Settings("lite0", (192, 288), 2, 1e-4, 1e-4), np.array([1, 3, 4])
    network = begin(settings, RECIPE / "students" / "student-coarse-fold0.safetensors").average
    images = small_data().images
    renew_statistics(network, images, rows)
    encoder = network.segmenter.encoder.model
    stem = encoder.conv_stem((images[rows].float() - network.mean) / network.deviation)
    torch.testing.assert_close(encoder.bn1.running_mean, stem.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(encoder.bn1.running_var, stem.var((0, 2, 3)), rtol=1e-4, atol=1e-4)
    assert not any(module.training for module in network.modules())


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "SAVE_EVERY", 1)
    data, soft = small_data(), SoftTargets(torch.rand(6, 4, 48, 72), torch.rand(6, 4), (192, 288))
    options = Namespace(
        students=RECIPE / "students",
        epochs=2,
        batch=2,
        rate=1e-3,
        soft=0.3,
        cutmix=0.5,
        keep_statistics=False,
        bf16=False,
    )  # fmt: skip
    finetune.finetune("fold0", data, soft, Namespace(**vars(options), out=tmp_path))
    (tmp_path / "again").mkdir()
    again, step = Namespace(**vars(options), out=tmp_path / "again"), finetune.take_step

    def stop_at_third(state: finetune.State, *rest: object) -> float:
        if state.step == 2:
            raise KeyboardInterrupt
        return step(state, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(finetune, "take_step", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune("fold0", data, soft, again)
    monkeypatch.setattr(finetune, "take_step", step)
    finetune.finetune("fold0", data, soft, again)
    name = "student-coarse-fold0.safetensors"
    whole, resumed, before = (load_file(folder / name) for folder in (tmp_path, again.out, RECIPE / "students"))
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())
    assert not torch.equal(whole["classifier.weight"], before["classifier.weight"])
    assert sorted(path.name for path in again.out.iterdir()) == [name]
