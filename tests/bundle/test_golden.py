"""The shipped model on two scenes, as PyTorch predicted them once: every engine, from the JPEG to the mask.

The scenes are drawn by `nephoscope.data.synthetic`; golden.json holds presences and masks (as in a submission).
"""

from pathlib import Path

import numpy as np
import pytest

import nephoscope as ns
from nephoscope.files import read_json
from nephoscope.masks.dice import dice
from nephoscope.settings.choices import Choice

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = read_json(FOLDER / "golden.json")


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_every_engine_gives_the_golden_prediction(engine: Choice) -> None:
    model = ns.load(engine=engine)
    results = model.predict([FOLDER / name for name in GOLDEN])
    for result, expected in zip(results, GOLDEN.values(), strict=True):
        assert dict(zip(result.classes, result.presence.tolist(), strict=True)) == pytest.approx(
            expected["presence"], abs=0.01
        )
        masks = [ns.decode_rle(expected["rle"][name], result.visible.shape) for name in result.classes]
        assert result.present.tolist() == [bool(mask.any()) for mask in masks]
        assert min(dice(*pair) for pair in zip(masks, result.masks, strict=True)) > 0.99


def test_the_golden_masks_show_every_class() -> None:
    shown = {name for scene in GOLDEN.values() for name, rle in scene["rle"].items() if rle}
    assert shown == {"Fish", "Flower", "Gravel", "Sugar"}
    assert all(np.isfinite(list(scene["presence"].values())).all() for scene in GOLDEN.values())
