"""Networks see the views that their names say, and folds are predicted by members that never saw them."""

from pathlib import Path

import numpy as np
import pytest

from nephoscope.errors import UserError
from nephoscope.inference import trained
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.trained import members_of_fold
from nephoscope.rules.rules import InferenceSettings
from tests.builders.network_metadata import metadata
from tests.builders.scenes import CACHE_SHAPE, METADATA, ContextEngine


@pytest.mark.parametrize(
    ("flip", "turn"),
    [
        ("none", np.s_[:, :]),
        ("horizontal", np.s_[:, ::-1]),
        ("vertical", np.s_[::-1, :]),
        ("both", np.s_[::-1, ::-1]),
    ],
)
def test_a_view_is_the_image_flipped_as_its_name_says(flip: str, turn: tuple[slice, slice]) -> None:
    image = np.random.default_rng(0).integers(1, 256, (*CACHE_SHAPE, 3), np.uint8)
    engines = [ContextEngine(maps=maps) for maps in (False, True)]
    views = InferenceSettings.model_validate({"flips": [flip]})
    Ensemble(METADATA, engines[:1], engines[1:], views).predict(image[None], np.ones((1, *CACHE_SHAPE), bool))
    for engine in engines:
        (seen,) = engine.images
        assert (seen == image[turn]).all()


def test_a_fold_is_predicted_by_the_members_that_held_it_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (0, 1):
        for fold in (0, 1, 2):
            (tmp_path / f"seed{seed}-fold{fold}.safetensors").touch()
    monkeypatch.setattr(trained, "load_metadata", lambda path: metadata(fold=int(path.stem[-1])))
    assert [path.stem for path in members_of_fold(tmp_path, 1)] == ["seed0-fold1", "seed1-fold1"]
    with pytest.raises(UserError, match="no trained member of fold 3"):
        members_of_fold(tmp_path, 3)
