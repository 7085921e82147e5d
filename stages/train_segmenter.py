"""Train segmenter: manifest and cache in, one checkpoint per member out."""

from pipeline.artifacts import Artifacts
from pipeline.cores import calm_allocator
from pipeline.learning.stage import train_members
from pipeline.params import Params, TrainSegmenter


def main(params: TrainSegmenter, artifacts: Artifacts) -> None:
    calm_allocator()
    train_members(params, artifacts.prepare, artifacts.train_segmenter)


if __name__ == "__main__":
    main(Params.load().train_segmenter, Artifacts())
