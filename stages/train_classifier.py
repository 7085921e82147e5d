"""Train classifier: manifest, cache and the segmenters it may begin with in, one checkpoint per member out."""

from pipeline.artifacts import Artifacts
from pipeline.cores import calm_allocator
from pipeline.learning.stage import train_members
from pipeline.params import Params, TrainClassifier


def main(params: TrainClassifier, artifacts: Artifacts) -> None:
    calm_allocator()
    train_members(params, artifacts.prepare, artifacts.train_classifier, artifacts.train_segmenter.members)


if __name__ == "__main__":
    main(Params.load().train_classifier, Artifacts())
