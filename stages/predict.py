"""Predict: both networks and the cache in, probability stores of validation and holdout out."""

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.store import writing_store
from nephoscope.hardware import calm_allocator
from nephoscope.inference.trained import open_two_stage, predict_rows, unseen_groups
from nephoscope.rules.rules import Reading
from nephoscope.settings.inference import Predict
from nephoscope.settings.params import Params


def main(params: Predict, artifacts: Artifacts) -> None:
    calm_allocator()
    manifest = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images)
    predict_split("validation", manifest.tuning_rows(), manifest, params, artifacts)
    predict_split("holdout", manifest.rows("holdout"), manifest, params, artifacts)


def predict_split(
    split: str, rows: npt.NDArray[np.int64], manifest: Manifest, params: Predict, artifacts: Artifacts
) -> None:
    cache, facts = Cache.open(artifacts.prepare.cache), manifest.facts
    image_ids = manifest.images["image_id"].to_numpy()[rows].tolist()
    place = {int(row): index for index, row in enumerate(rows)}
    reading = Reading(
        flips=params.flips,
        strongest_share=params.strongest_share,
        classifiers=params.classifiers,
        segmenters=params.segmenters,
    )
    path = artifacts.predict.probabilities(split)
    store = writing_store(path, image_ids, facts.classes, facts.judged_shape, reading)

    with store as writer, tqdm(total=len(rows), desc=split, unit="picture") as progress:
        for fold, unseen in unseen_groups(manifest, rows).items():
            model = open_two_stage(
                artifacts.train_classifier.members,
                artifacts.train_segmenter.members,
                facts,
                reading,
                params.machine,
                fold,
            )
            for row, prediction in predict_rows(model, cache, unseen, params.batch_size):
                writer.write(place[row], prediction)
                progress.update()


if __name__ == "__main__":
    main(Params.load().predict, Artifacts())
