"""Tune: probabilities and truth of validation in, one rule per class out, and how sure it is."""

from pipeline.artifacts import Artifacts
from pipeline.data.manifest import Manifest
from pipeline.evaluation.judged import Judged
from pipeline.evaluation.table_files import write_tables
from pipeline.evaluation.tuning.tune import tune
from pipeline.json_file import write_json
from pipeline.params import Params, Tune


def main(params: Tune, artifacts: Artifacts) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images)
    judged = Judged.open(artifacts, manifest, "validation")

    tuning = tune(judged.store, judged.truth, settings=params)

    write_json(artifacts.tune.rules, tuning.rules.model_dump())
    write_tables(artifacts.tune.tables, tuning.tables, plotted=True)
    write_json(artifacts.tune.metrics, tuning.metrics())
    for name in ("thresholds", "estimates"):
        print(tuning.tables[name].to_string(index=False, float_format="{:.3f}".format, na_rep=""), end="\n\n")


if __name__ == "__main__":
    main(Params.load().tune, Artifacts())
