import numpy as np
import pytest

import stages.predict
from pipeline.artifacts import Artifacts
from pipeline.data.manifest import Manifest
from pipeline.evaluation.store import ProbabilityStore
from pipeline.masks.rule import strongest_mean
from pipeline.mendable import Mendable
from pipeline.params import Predict


def test_every_picture_of_both_splits_is_in_its_store(finished: Artifacts) -> None:
    manifest = Manifest.load(finished.prepare.manifest, finished.prepare.images)
    for split in ("validation", "holdout"):
        store = ProbabilityStore.open(finished.predict.probabilities(split))
        assert list(store.image_ids) == manifest.images.loc[manifest.rows(split), "image_id"].tolist()
        assert store[0].levels.shape == (4, 350, 525)
        assert store[0].visible.shape == (350, 525)
        assert ((store.raw.classifier > 0) & (store.raw.classifier < 1)).all()


def test_strongest_pixels_are_those_of_the_stored_levels(finished: Artifacts) -> None:
    store = ProbabilityStore.open(finished.predict.probabilities("holdout"))
    for prediction in (store[0], store[1]):
        expected = strongest_mean(prediction.levels, prediction.visible, store.reading.strongest_share)
        assert prediction.strongest == pytest.approx(expected, abs=1e-6)


def test_the_batch_size_changes_nothing_but_rounding(finished: Artifacts, own_run: Artifacts) -> None:
    stages.predict.main(Predict(batch_size=3), own_run)
    before = ProbabilityStore.open(finished.predict.probabilities("holdout"))
    after = ProbabilityStore.open(own_run.predict.probabilities("holdout"))
    assert after.raw.classifier == pytest.approx(before.raw.classifier, abs=1e-4)
    assert np.abs(after[0].levels.astype(int) - before[0].levels).max() <= 1


def test_without_trained_members_the_way_out_is_named(own_run: Artifacts) -> None:
    for path in own_run.train_segmenter.members.iterdir():
        path.unlink()
    with pytest.raises(Mendable, match="run the training stages first"):
        stages.predict.main(Predict(), own_run)
