"""Evaluate: probabilities and truth of holdout and the rules in, Dice tables and PR curves with intervals out."""

from pipeline.artifacts import Artifacts, writing
from pipeline.data.formats import FORMATS
from pipeline.data.manifest import Manifest
from pipeline.evaluation.judged import Judged
from pipeline.evaluation.measured import measure
from pipeline.evaluation.plots_page import plots_page
from pipeline.evaluation.rules_file import read_rules
from pipeline.evaluation.uncertainty import Bootstrap
from pipeline.json_file import write_json
from pipeline.params import Evaluate, Params


def main(params: Evaluate, artifacts: Artifacts) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images)
    judged = Judged.open(artifacts, manifest, "holdout")
    rules = read_rules(artifacts.tune.rules)

    bootstrap = Bootstrap(params.bootstrap, params.confidence, params.seed)
    measured = measure(judged, rules, bootstrap, FORMATS[manifest.facts.format].human_dice)

    measured.write(artifacts.evaluate.tables, artifacts.evaluate.plots)
    write_json(artifacts.evaluate.metrics, measured.metrics)
    with writing(artifacts.evaluate.plots_page) as unfinished:
        unfinished.write_text(plots_page(), "utf-8")
    print(measured.tables["dice"].to_string(index=False, float_format="{:.3f}".format, na_rep=""))


if __name__ == "__main__":
    main(Params.load().evaluate, Artifacts())
