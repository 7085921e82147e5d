"""Predict: both networks and the cache in, probability stores of validation and holdout out."""

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.store import atomic_store
from nephoscope.hardware import keep_freed_memory
from nephoscope.inference.trained import open_ensemble, predict_rows, unseen_groups
from nephoscope.rules.rules import InferenceSettings
from nephoscope.settings.inference import Predict
from nephoscope.settings.params import Params


def main(params: Predict, artifacts: Artifacts) -> None:
    keep_freed_memory()
    manifest = Manifest.load(artifacts.prepare.manifest)
    predict_split("validation", manifest.tuning_rows(), manifest, params, artifacts)
    predict_split("holdout", manifest.rows("holdout"), manifest, params, artifacts)


def predict_split(
    split: str, rows: npt.NDArray[np.int64], manifest: Manifest, params: Predict, artifacts: Artifacts
) -> None:
    """Write the store of a split. With folds, each image is predicted by the members that were not trained on it."""
    cache, metadata = Cache.open(artifacts.prepare.cache), manifest.metadata
    image_ids = manifest.images["image_id"].to_numpy()[rows].tolist()
    place = {int(row): index for index, row in enumerate(rows)}
    inference_settings = InferenceSettings(
        flips=params.flips,
        top_fraction=params.top_fraction,
        classifiers=params.classifiers,
        segmenters=params.segmenters,
        precision=params.machine.precision,
    )
    members = artifacts.train_classifier.members, artifacts.train_segmenter.members
    path = artifacts.predict.probabilities(split)
    store = atomic_store(path, image_ids, metadata.classes, metadata.output_shape, inference_settings)

    with store as writer, tqdm(total=len(rows), desc=split, unit="image") as progress:
        for fold, unseen in unseen_groups(manifest, rows).items():
            model = open_ensemble(*members, metadata, inference_settings, params.machine, fold)
            for row, prediction in predict_rows(model, cache, unseen, params.batch_size):
                writer.write(place[row], prediction)
                progress.update()


if __name__ == "__main__":
    main(Params.load().predict, Artifacts())
