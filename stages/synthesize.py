"""Synthesize: nothing in, the embedded default data set out."""

from pipeline.artifacts import Artifacts
from pipeline.data.synthetic import write_dataset
from pipeline.params import Params, Synthesize


def main(params: Synthesize, artifacts: Artifacts) -> None:
    write_dataset(
        artifacts.synthesize.dataset,
        format_name=params.format,
        csv_layout=params.csv_layout,
        labelled=params.labelled,
        unlabelled=params.unlabelled,
        shape=params.shape,
        seed=params.seed,
    )


if __name__ == "__main__":
    main(Params.load().synthesize, Artifacts())
