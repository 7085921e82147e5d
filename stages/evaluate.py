"""Evaluate: probabilities and truth of holdout and the rules in, Dice tables and precision-recall curves out."""

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.evaluate import evaluate_rules
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.figures.dvc_plots import plots_page
from nephoscope.files import atomic_write, write_json
from nephoscope.rules.rules import read_rules
from nephoscope.settings.params import Params
from nephoscope.settings.tuning import Evaluate


def main(params: Evaluate, artifacts: Artifacts) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    labelled = LabelledSplit.open(artifacts, manifest, "holdout")
    rules = read_rules(artifacts.tune.rules)

    bootstrap = Bootstrap(params.bootstrap, params.confidence, params.seed, labelled.groups)
    evaluation = evaluate_rules(labelled, rules, bootstrap, manifest.metadata.data_format.human_dice)

    evaluation.write(artifacts.evaluate.tables, artifacts.evaluate.plots)
    write_json(artifacts.evaluate.metrics, evaluation.metrics)
    with atomic_write(artifacts.evaluate.plots_page) as unfinished:
        unfinished.write_text(plots_page(), "utf-8")
    print(evaluation.tables["dice"].to_string(index=False, float_format="{:.3f}".format, na_rep=""))


if __name__ == "__main__":
    main(Params.load().evaluate, Artifacts())
