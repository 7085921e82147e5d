"""Synthesize: settings alone in, the synthetic default data set out."""

from nephoscope.artifacts import Artifacts
from nephoscope.data.synthetic import write_dataset
from nephoscope.settings.data import Synthesize
from nephoscope.settings.params import Params


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
