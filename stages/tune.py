"""Tune: probabilities and truth of validation in, one rule per class with its uncertainty out."""

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.tables import write_tables
from nephoscope.files import write_json
from nephoscope.settings.params import Params
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune_images


def main(params: Tune, artifacts: Artifacts) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    labelled = LabelledSplit.open(artifacts, manifest, "validation")

    tuning = tune_images(labelled, params, progress=True)

    write_json(artifacts.tune.rules, tuning.rules.model_dump())
    write_tables(artifacts.tune.tables, tuning.tables, plotted=True)
    write_json(artifacts.tune.metrics, tuning.metrics())
    for name in ("thresholds", "estimates"):
        print(tuning.tables[name].to_string(index=False, float_format="{:.3f}".format, na_rep=""), end="\n\n")


if __name__ == "__main__":
    main(Params.load().tune, Artifacts())
