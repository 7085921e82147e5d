from pathlib import Path

import numpy as np
import pytest

import stages.evaluate
import stages.export
import stages.predict
import stages.prepare
import stages.submit
from nephoscope.artifacts import Artifacts
from nephoscope.bundle.load import open_portable
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.store import ProbabilityStore
from nephoscope.files import read_json, write_json
from nephoscope.inference.trained import open_ensemble, predict_rows
from nephoscope.rules.presence import top_fraction_mean
from nephoscope.settings.inference import Export, Predict, Submit
from nephoscope.settings.tuning import Evaluate
from tests.builders.pipeline_run import run_until_trained, tiny_params


def test_every_image_of_both_splits_is_in_its_store(finished: Artifacts) -> None:
    manifest = Manifest.load(finished.prepare.manifest)
    for split in ("validation", "holdout"):
        store = ProbabilityStore.open(finished.predict.probabilities(split))
        assert list(store.image_ids) == manifest.images.loc[manifest.rows(split), "image_id"].tolist()
        assert store[0].levels.shape == (4, 350, 525)
        assert store[0].visible.shape == (350, 525)
        assert ((store.raw.classifier > 0) & (store.raw.classifier < 1)).all()


def test_the_top_fraction_mean_is_that_of_the_stored_levels(finished: Artifacts) -> None:
    store = ProbabilityStore.open(finished.predict.probabilities("holdout"))
    for prediction in (store[0], store[1]):
        expected = top_fraction_mean(prediction.levels, prediction.visible, store.inference_settings.top_fraction)
        assert prediction.top_mean == pytest.approx(expected, abs=1e-6)


def test_the_batch_size_changes_only_rounding(finished: Artifacts, own_run: Artifacts) -> None:
    stages.predict.main(Predict(batch_size=3), own_run)
    before = ProbabilityStore.open(finished.predict.probabilities("holdout"))
    after = ProbabilityStore.open(own_run.predict.probabilities("holdout"))
    assert after.raw.classifier == pytest.approx(before.raw.classifier, abs=1e-4)
    assert np.abs(after[0].levels.astype(int) - before[0].levels).max() <= 1


@pytest.fixture
def folded_run(tmp_path: Path) -> Artifacts:
    params, artifacts = tiny_params(tmp_path, folds=2), Artifacts(tmp_path)
    run_until_trained(params, artifacts)
    stages.predict.main(params.predict, artifacts)
    return artifacts


def test_with_folds_members_predict_only_images_they_were_not_trained_on(folded_run: Artifacts) -> None:
    artifacts = folded_run
    manifest = Manifest.load(artifacts.prepare.manifest)
    store = ProbabilityStore.open(artifacts.predict.probabilities("validation"))
    pool = manifest.tuning_rows()
    assert list(store.image_ids) == manifest.images.loc[pool, "image_id"].tolist()
    assert set(manifest.images.loc[pool, "fold"]) == {0, 1}

    cache = Cache.open(artifacts.prepare.cache)
    members = artifacts.train_classifier.members, artifacts.train_segmenter.members
    for fold in (0, 1):
        model = open_ensemble(*members, manifest.metadata, store.inference_settings, Predict().machine, fold)
        assert len(model.classifiers) == len(model.segmenters) == 1
        index = int(np.flatnonzero(manifest.images["fold"].to_numpy()[pool] == fold)[0])
        ((_, alone),) = predict_rows(model, cache, pool[index : index + 1], batch_size=1)
        assert alone.classifier == pytest.approx(store.raw.classifier[index], abs=1e-4)


@pytest.mark.parametrize("other", [{"seed": 7}, {"cache_shape": (32, 48)}])
def test_networks_of_another_split_or_cache_are_rejected(own_run: Artifacts, other: dict[str, object]) -> None:
    params = tiny_params(own_run.root).prepare
    stages.prepare.main(params.model_copy(update=other), own_run)
    with pytest.raises(
        UserError, match=r"seed0\.safetensors: trained on other data .*(split|cache_shape).* train again"
    ):
        stages.predict.main(Predict(), own_run)


def test_of_many_members_a_few_can_see_new_pictures(folded_run: Artifacts) -> None:
    manifest = Manifest.load(folded_run.prepare.manifest)
    rows = manifest.rows("holdout")
    cache, machine = Cache.open(folded_run.prepare.cache), Predict().machine
    members = folded_run.train_classifier.members, folded_run.train_segmenter.members
    out_of_fold = ProbabilityStore.open(folded_run.predict.probabilities("validation")).raw.classifier

    stages.predict.main(Predict(classifiers=1, segmenters=2), folded_run)
    store = ProbabilityStore.open(folded_run.predict.probabilities("holdout"))
    model = open_ensemble(*members, manifest.metadata, store.inference_settings, machine)
    assert (len(model.classifiers), len(model.segmenters)) == (1, 2)
    first = open_ensemble(*members, manifest.metadata, store.inference_settings, machine, fold=0)
    ((_, alone),) = predict_rows(first, cache, rows[:1], batch_size=1)
    assert store.raw.classifier[0] == pytest.approx(alone.classifier, abs=1e-4)
    # Validation is unchanged: each image is predicted by the members that were not trained on it.
    tuned_on = ProbabilityStore.open(folded_run.predict.probabilities("validation"))
    assert tuned_on.raw.classifier == pytest.approx(out_of_fold, abs=1e-4)


def test_more_members_than_were_trained_are_rejected(own_run: Artifacts) -> None:
    with pytest.raises(UserError, match="1 trained, but the settings of predict ask for 2"):
        stages.predict.main(Predict(segmenters=2), own_run)


def test_without_trained_members_the_error_names_the_way_out(own_run: Artifacts) -> None:
    for path in own_run.train_segmenter.members.iterdir():
        path.unlink()
    with pytest.raises(UserError, match="run the training stages first"):
        stages.predict.main(Predict(), own_run)


def test_bf16_travels_from_predict_to_everything_that_is_delivered(
    own_run: Artifacts, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.predict.main(Predict.model_validate({"machine": {"precision": "bf16"}}), own_run)
    settings = ProbabilityStore.open(own_run.predict.probabilities("holdout")).inference_settings
    assert settings.precision == "bf16"
    with pytest.raises(UserError, match=r"tuned with .*precision='fp32'.* predicted with .*precision='bf16'"):
        stages.evaluate.main(Evaluate(), own_run)
    write_json(own_run.tune.rules, read_json(own_run.tune.rules) | {"inference_settings": settings.model_dump()})
    stages.submit.main(Submit(), own_run)
    assert "submit: the networks compute in torch bf16" in capsys.readouterr().out
    stages.export.main(Export(), own_run)  # ONNX, which has no bf16, is compared in fp32
    assert set(open_portable(own_run.export.model, "torch")[0].engines.values()) == {"torch bf16"}
