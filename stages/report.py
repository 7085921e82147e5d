"""Report: everything that the other stages found in, one page to read out.

It shows all settings, so alone among the stages it takes the whole of Params.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import Artifacts, writing
from pipeline.data.cache import Cache
from pipeline.data.manifest import Manifest
from pipeline.data.truth import Truth
from pipeline.delivery.page import Page, render
from pipeline.delivery.page_comparison import show_comparison
from pipeline.delivery.page_findings import read_tables, show_faults, show_findings
from pipeline.delivery.page_gallery import Gallery, choose_best, choose_worst
from pipeline.delivery.page_results import show_results
from pipeline.delivery.page_run import show_settings, show_splits, show_training, show_versions
from pipeline.delivery.page_tuning import show_tuning
from pipeline.evaluation.judged import Judged
from pipeline.evaluation.store import ProbabilityStore
from pipeline.evaluation.uncertainty import Bootstrap
from pipeline.json_file import read_json
from pipeline.masks.rule import Rules
from pipeline.mendable import Mendable
from pipeline.params import Params


def main(params: Params, artifacts: Artifacts) -> None:
    require(artifacts)
    manifest = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images)
    rules = Rules.model_validate(read_json(artifacts.tune.rules))
    store = ProbabilityStore.open(artifacts.predict.probabilities("holdout"))
    judged = Judged(store, Truth.load(artifacts.prepare.truth, manifest.facts))
    tables, curves = read_tables(artifacts.evaluate.tables), read_tables(artifacts.evaluate.plots)

    judging = params.evaluate
    bootstrap = Bootstrap(judging.bootstrap, judging.confidence, judging.seed)
    earlier = params.report.earlier
    gallery = Gallery(judged, rules, manifest, Cache.open(artifacts.prepare.cache), tables["judgements"])
    worst = choose_worst(tables["pictures"], params.report.worst)
    best = choose_best(tables["pictures"], tables["judgements"], params.report.best, worst)
    page = Page(
        title=params.report.title,
        format_name=manifest.facts.format,
        pictures=len(judged),
        confidence=judging.confidence,
        judged_shape=rules.judged_shape,
        results=show_results(tables, curves, rules),
        comparison=show_comparison(earlier, tables["judgements"], bootstrap) if earlier else None,
        tuned=show_tuning(read_tables(artifacts.tune.tables), rules.classes),
        worst=gallery.show(worst),
        best=gallery.show(best),
        trainings=(
            show_training("classifier", artifacts.train_classifier),
            show_training("segmenter", artifacts.train_segmenter),
        ),
        findings=show_findings(artifacts.prepare.findings),
        faults=show_faults(artifacts.prepare.faults),
        splits=show_splits(manifest.images["split"]),
        settings=show_settings(params),
        versions=show_versions(),
    )
    with writing(artifacts.report.page) as unfinished:
        unfinished.write_text(render(page), "utf-8")
    print(f"{artifacts.report.page}: {artifacts.report.page.stat().st_size / 1e6:.1f} MB")


def require(artifacts: Artifacts) -> None:
    """Everything that the page cannot do without; findings and checkpoints it can."""
    for stage, path in needed(artifacts):
        if not path.exists():
            raise Mendable(f"{path} is missing; `dvc repro {stage}` makes it")


def needed(artifacts: Artifacts) -> Iterator[tuple[str, Path]]:
    prepare, evaluate = artifacts.prepare, artifacts.evaluate
    yield from (("prepare", path) for path in (prepare.manifest, prepare.images, prepare.truth, prepare.cache))
    yield "train_classifier", artifacts.train_classifier.history
    yield "train_segmenter", artifacts.train_segmenter.history
    yield "predict", artifacts.predict.probabilities("holdout")
    yield from (("tune", path) for path in (artifacts.tune.rules, artifacts.tune.tables))
    yield from (("evaluate", path) for path in (evaluate.tables, evaluate.plots))


if __name__ == "__main__":
    main(Params.load(), Artifacts())
