"""The GPU recipe: its soft targets and students can be used, and its commands start."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from recipes.gpu import packed_maps
from recipes.gpu.export_student import load_student
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
