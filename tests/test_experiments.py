"""Experiments: what is taken over from the one before, and what a change makes anew."""

import pytest

from benchmarks.experiments import feeds
from pipeline.params import Params


@pytest.mark.parametrize(
    ("weights", "fed_by"), [("segmenter", ("train_segmenter",)), ("bundled", ()), ("classifier.safetensors", ())]
)
def test_a_classifier_depends_on_the_segmenter_it_begins_with(weights: str, fed_by: tuple[str, ...]) -> None:
    params = Params.model_validate({"train_classifier": {"weights": weights}})
    assert feeds("train_classifier", params) == fed_by


def test_predictions_depend_on_both_networks() -> None:
    assert feeds("train_segmenter", Params()) == ()
    assert feeds("predict", Params()) == ("train_segmenter", "train_classifier")
