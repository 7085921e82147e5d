"""The whole pipeline with the smallest settings: real stages and networks, in seconds."""

from pathlib import Path

import stages.evaluate
import stages.explain
import stages.export
import stages.predict
import stages.prepare
import stages.report
import stages.submit
import stages.synthesize
import stages.train_classifier
import stages.train_segmenter
import stages.tune
from nephoscope.artifacts import Artifacts
from nephoscope.settings.params import Params

TRAINING = {"weights": "none", "epochs": 1, "batch_size": 8}


def tiny_params(root: Path, data_format: str = "clouds", csv_layout: str = "joined", folds: int = 0) -> Params:
    steel = data_format == "severstal"
    content = {
        "synthesize": {
            "format": data_format,
            "csv_layout": csv_layout,
            "labelled": 24,
            "unlabelled": 3,
            "shape": [64, 400] if steel else [70, 105],
        },
        "prepare": {
            "root": str(Artifacts(root).synthesize.dataset),
            "format": data_format,
            "cache_shape": [32, 192] if steel else [64, 96],
            "validation_share": 0.25,
            "holdout_share": 0.25,
            "folds": folds,
        },
        "train_classifier": {**TRAINING, "encoder": "mobilenetv3_small_050"},
        "train_segmenter": {**TRAINING, "architecture": "VanillaUnet"},
        "predict": {"batch_size": 4},
        "tune": {
            "pixel_thresholds": [64, 128, 192],
            "min_areas": [0, 2000],
            "folds": 3,
            "resamples": 3,
            "bootstrap": 50,
        },
        "evaluate": {"bootstrap": 50},
        "export": {"checked_pictures": 3},
        "report": {"best": 1, "median": 1, "worst": 2},
    }
    return Params.model_validate(content)


def run_until_trained(params: Params, artifacts: Artifacts, *, synthesize: bool = True) -> None:
    if synthesize:
        stages.synthesize.main(params.synthesize, artifacts)
    stages.prepare.main(params.prepare, artifacts)
    stages.train_classifier.main(params.train_classifier, artifacts)
    stages.train_segmenter.main(params.train_segmenter, artifacts)


def run_after_training(params: Params, artifacts: Artifacts) -> None:
    stages.predict.main(params.predict, artifacts)
    stages.tune.main(params.tune, artifacts)
    stages.evaluate.main(params.evaluate, artifacts)
    stages.explain.main(params.explain, artifacts)
    stages.submit.main(params.submit, artifacts)
    stages.export.main(params.export, artifacts)
    stages.report.main(params, artifacts)
