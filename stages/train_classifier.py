"""Train the classifier: manifest, cache and the segmenters (for initial weights) in, one checkpoint per member out."""

from nephoscope.artifacts import Artifacts
from nephoscope.hardware import keep_freed_memory
from nephoscope.settings.params import Params
from nephoscope.settings.training import TrainClassifier
from nephoscope.training.train import train_members


def main(params: TrainClassifier, artifacts: Artifacts) -> None:
    keep_freed_memory()
    train_members(params, artifacts.prepare, artifacts.train_classifier, artifacts.train_segmenter.members)


if __name__ == "__main__":
    main(Params.load().train_classifier, Artifacts())
