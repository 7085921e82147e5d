import pandas as pd
import pytest
import torch

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.files import read_json
from nephoscope.models.checkpoint import load_checkpoint
from tests.builders.pipeline_run import tiny_params


def test_the_checkpoint_contains_all_that_describes_it(finished: Artifacts) -> None:
    network, metadata = load_checkpoint(finished.train_classifier.members / "seed0.safetensors")
    manifest = Manifest.load(finished.prepare.manifest)
    assert (metadata.kind, metadata.encoder, metadata.input_shape) == ("classifier", "mobilenetv3_small_050", (64, 96))
    assert metadata.data == manifest.metadata
    assert metadata.settings == tiny_params(finished.root).train_classifier.model_dump(mode="json")
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96, dtype=torch.uint8)).shape == (2, 4)


def test_the_metric_is_the_best_score_of_the_history(finished: Artifacts) -> None:
    history, metrics = pd.read_csv(finished.train_classifier.history), read_json(finished.train_classifier.metrics)
    assert metrics == {"score": pytest.approx(history["validation_pr_auc"].max(), abs=6e-4)}


def test_a_finished_training_leaves_nothing_to_resume(finished: Artifacts) -> None:
    assert not finished.train_classifier.resume.exists()
