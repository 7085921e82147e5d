import pandas as pd
import pytest
import torch

import stages.train_segmenter
from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.files import read_json
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.settings.training import TrainSegmenter
from tests.builders.pipeline_run import tiny_params


def test_the_checkpoint_contains_all_that_describes_it(finished: Artifacts) -> None:
    network, metadata = load_checkpoint(finished.train_segmenter.members / "seed0.safetensors")
    manifest = Manifest.load(finished.prepare.manifest)
    assert (metadata.kind, metadata.architecture, metadata.input_shape) == ("segmenter", "VanillaUnet", (64, 96))
    assert metadata.data == manifest.metadata
    assert metadata.settings == tiny_params(finished.root).train_segmenter.model_dump(mode="json")
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96, dtype=torch.uint8)).shape == (2, 4, 64, 96)


def test_the_metric_is_the_best_score_of_the_history(finished: Artifacts) -> None:
    history, metrics = pd.read_csv(finished.train_segmenter.history), read_json(finished.train_segmenter.metrics)
    assert metrics == {"score": pytest.approx(history["validation_dice"].max(), abs=6e-4)}


def test_members_of_an_earlier_run_are_removed(own_run: Artifacts) -> None:
    params = TrainSegmenter(weights="none", architecture="VanillaUnet", epochs=1, batch_size=8, seeds=(3,))
    stages.train_segmenter.main(params, own_run)
    assert [path.name for path in own_run.train_segmenter.members.iterdir()] == ["seed3.safetensors"]
