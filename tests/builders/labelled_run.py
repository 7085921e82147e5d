"""A quick run: training and predictions are synthetic, all later stages are real."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from safetensors.numpy import save_file

import stages.evaluate
import stages.prepare
import stages.synthesize
import stages.tune
from nephoscope.artifacts import Artifacts, ExplainFolder, TrainFolder
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest, Metadata, Split
from nephoscope.data.truth import Truth
from nephoscope.evaluation.store import Prediction, atomic_store
from nephoscope.masks.geometry import resize_mask
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.rules.presence import top_fraction_mean
from nephoscope.rules.rules import InferenceSettings
from nephoscope.settings.params import Params

INFERENCE_SETTINGS = InferenceSettings()


def labelled_params(root: Path, labelled: int = 24) -> Params:
    content = {
        "synthesize": {"labelled": labelled, "unlabelled": 2, "shape": [70, 105]},
        "prepare": {
            "root": str(Artifacts(root).synthesize.dataset),
            "cache_shape": [64, 96],
            "validation_share": 0.25,
            "holdout_share": 0.4,
        },
        # Six pictures in validation: three folds are the most that can be cross-fitted.
        "tune": {
            "pixel_thresholds": [64, 96, 128, 160],
            "min_areas": [0, 2000],
            "folds": 3,
            "resamples": 5,
            "adaptive_power": 0,
        },
        "evaluate": {"bootstrap": 100},
        "report": {"best": 2, "median": 1, "worst": 3},
    }
    return Params.model_validate(content)


def write_labelled_run(params: Params, artifacts: Artifacts) -> None:
    """Write everything that `report` reads."""
    stages.synthesize.main(params.synthesize, artifacts)
    stages.prepare.main(params.prepare, artifacts)
    data = Manifest.load(artifacts.prepare.manifest).metadata
    write_training(artifacts.train_classifier, data, seed=1)
    write_training(artifacts.train_segmenter, data, seed=2)
    write_probabilities(artifacts, "validation")
    write_probabilities(artifacts, "holdout")
    stages.tune.main(params.tune, artifacts)
    stages.evaluate.main(params.evaluate, artifacts)


def write_heat_maps(folder: ExplainFolder) -> None:
    """A table of two heat maps; the file of one is missing."""
    folder.heat_maps.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    cv2.imwrite(str(folder.heat_maps / "a.jpg_Fish.jpg"), noise)
    folder.table.write_text(
        "image_id,class_name,presence,truth,predicted,error,file\n"
        "a.jpg,Fish,0.25,1,0,missed,a.jpg_Fish.jpg\n"
        "b.jpg,Sugar,0.75,0,1,false alarm,b.jpg_Sugar.jpg\n",
        "utf-8",
    )


def write_training(folder: TrainFolder, data: Metadata, seed: int, epochs: int = 6) -> None:
    """A synthetic history, and a checkpoint with a valid header but no weights."""
    rng, epoch = np.random.default_rng(seed), np.arange(epochs)
    decay = np.exp(-epoch / 3)
    columns = {
        "member": "seed0",
        "epoch": epoch,
        "train_loss": 0.3 + 0.4 * decay + rng.normal(0, 0.01, epochs),
        "validation_loss": 0.36 + 0.3 * decay + rng.normal(0, 0.02, epochs),
        "pr_auc": 0.8 - 0.4 * decay + rng.normal(0, 0.02, epochs),
    }
    folder.members.mkdir(parents=True)
    pd.DataFrame(columns).to_csv(folder.history, index=False)
    metadata = NetworkMetadata(
        kind="segmenter", architecture="Unet", encoder="tiny", input_shape=(64, 96), data=data, member="seed0", seed=0,
        fold=-1, epoch=epochs - 2, score=0.75, settings={},
    )  # fmt: skip
    save_file({"weight": np.zeros(1, np.float32)}, folder.members / "seed0.safetensors", metadata.to_header())


def write_probabilities(artifacts: Artifacts, split: Split) -> None:
    """Synthetic predictions that correlate with the truth."""
    manifest = Manifest.load(artifacts.prepare.manifest)
    truth, cache = Truth.load(artifacts.prepare.truth, manifest.metadata), Cache.open(artifacts.prepare.cache)
    rows, shape, classes = manifest.rows(split), manifest.metadata.output_shape, manifest.metadata.classes
    ids = manifest.images["image_id"].iloc[rows].tolist()
    rng = np.random.default_rng(len(rows))
    with atomic_store(artifacts.predict.probabilities(split), ids, classes, shape, INFERENCE_SETTINGS) as writer:
        for index, (row, image_id) in enumerate(zip(rows.tolist(), ids, strict=True)):
            masks, visible = truth.masks(image_id), resize_mask(np.asarray(cache.visible[row]), shape)
            levels = np.stack([_noisy_levels(mask, rng) for mask in masks])
            classifier = np.clip(0.2 * masks.any((1, 2)) + rng.uniform(0.1, 0.8, len(classes)), 0, 1)
            top_mean = top_fraction_mean(levels, visible, INFERENCE_SETTINGS.top_fraction)
            writer.write(index, Prediction(levels, visible, classifier, top_mean))


def _noisy_levels(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Level map: smooth noise plus the blurred truth."""
    coarse = rng.normal(0, 1, (7, 10)).astype(np.float32)
    noise = cv2.resize(coarse, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 12)
    return np.clip(90 * soft + 90 * noise + 45, 0, 255).astype(np.uint8)
