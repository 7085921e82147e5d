"""Train the segmenter: manifest and cache in, one checkpoint per member out."""

from nephoscope.artifacts import Artifacts
from nephoscope.hardware import keep_freed_memory
from nephoscope.settings.params import Params
from nephoscope.settings.training import TrainSegmenter
from nephoscope.training.train import train_members


def main(params: TrainSegmenter, artifacts: Artifacts) -> None:
    keep_freed_memory()
    train_members(params, artifacts.prepare, artifacts.train_segmenter)


if __name__ == "__main__":
    main(Params.load().train_segmenter, Artifacts())
