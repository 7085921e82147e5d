"""The shipped model: small, complete, and the default of `nephoscope predict`."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.bundle.load import open_portable
from nephoscope.masks.rle import decode_rle
from tests.builders.command_line import run_process

MEGABYTES = 1_000_000
CLASSES = ("Fish", "Flower", "Gravel", "Sugar")


def test_it_is_small_and_complete() -> None:
    files = {path.name: path.stat().st_size for path in SHIPPED.iterdir()}
    assert {"model.json", "rules.json", "reference_outputs.safetensors", "card.md"} < set(files)
    assert sum(files.values()) < 25 * MEGABYTES
    tensors = [tensor for path in SHIPPED.glob("*-seed*.safetensors") for tensor in load_file(path).values()]
    assert {tensor.dtype for tensor in tensors if tensor.ndim > 1} == {torch.float16}


def test_it_predicts_the_four_patterns_at_the_shape_of_the_competition() -> None:
    model, rules = open_portable(SHIPPED, "torch")
    assert rules.classes == model.metadata.classes == CLASSES
    assert rules.output_shape == (350, 525)
    assert rules.presence_calibrations is not None


@pytest.mark.parametrize("figure", ["mean", *CLASSES])
def test_its_card_shows_every_dice_with_an_interval(figure: str) -> None:
    lines = (SHIPPED / "card.md").read_text("utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {figure} | 0.") and " to " in line]
    dice, interval = [cell.strip() for cell in line.split("|")[2:4]]
    low, high = map(float, interval.split(" to "))
    assert low < float(dice) < high


def test_the_command_uses_it_by_default(finished: Artifacts, tmp_path: Path) -> None:
    folder = finished.synthesize.dataset / "test_images"
    done = run_process(folder, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out/submission.csv", keep_default_na=False)
    names = sorted(path.name for path in folder.iterdir())
    assert rows["Image_Label"].tolist() == [f"{name}_{label}" for name in names for label in CLASSES]
    assert all(decode_rle(rle, (350, 525)).any() for rle in rows["EncodedPixels"] if rle)
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    assert summary["presence"].between(0, 1).all()
