"""Report: everything that the other stages found in, one page to read out.

It shows all settings, so alone among the stages it takes the whole of Params.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nephoscope.artifacts import Artifacts, written
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.error_types import count_kinds
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.label_issues import find_contradictions, sort_by_surprise
from nephoscope.evaluation.labelled import JUDGED_SPLITS, Judged
from nephoscope.evaluation.scores import judge
from nephoscope.evaluation.tables import read_tables
from nephoscope.figures.tables import Table
from nephoscope.files import writing
from nephoscope.report.comparison import show_comparison
from nephoscope.report.data_profile import show_faults, show_findings
from nephoscope.report.gallery import Gallery
from nephoscope.report.heat_maps import show_heat_maps
from nephoscope.report.label_issues import render_labels, show_doubts
from nephoscope.report.render import Page, render
from nephoscope.report.results import show_results
from nephoscope.report.run import show_settings, show_splits, show_training, show_versions
from nephoscope.report.tuning import show_tuning
from nephoscope.rules.file import read_rules
from nephoscope.rules.rules import Rules
from nephoscope.settings.params import Params


def main(params: Params, artifacts: Artifacts) -> None:
    for stage, path in needed(artifacts):
        written(path, stage)
    manifest = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images)
    rules = read_rules(artifacts.tune.rules)
    judged = Judged.open(artifacts, manifest, "holdout")
    tables, curves = read_tables(artifacts.evaluate.tables), read_tables(artifacts.evaluate.plots)

    judging = params.evaluate
    bootstrap = Bootstrap(judging.bootstrap, judging.confidence, judging.seed)
    report, earlier = params.report, params.report.earlier
    gallery = Gallery(judged, rules, manifest, Cache.open(artifacts.prepare.cache), tables["judgements"])
    page = Page(
        title=report.title,
        format_name=manifest.facts.format,
        pictures=len(judged),
        confidence=judging.confidence,
        judged_shape=rules.judged_shape,
        classes=rules.classes,
        results=show_results(tables, curves, rules),
        comparison=show_comparison(earlier, tables["judgements"], bootstrap) if earlier else None,
        tuned=show_tuning(read_tables(artifacts.tune.tables), rules.classes),
        kinds=Table.of_frame("Holdout pictures by what became of a class", count_kinds(tables["judgements"])),
        galleries=gallery.show_groups(tables["pictures"], report.best, report.median, report.worst),
        heat_maps=show_heat_maps(artifacts.explain.table, artifacts.explain.heat_maps),
        trainings=(
            show_training("classifier", artifacts.train_classifier),
            show_training("segmenter", artifacts.train_segmenter),
        ),
        findings=show_findings(artifacts.prepare.findings, manifest),
        faults=show_faults(artifacts.prepare.faults),
        splits=show_splits(manifest.images["split"]),
        settings=show_settings(params),
        versions=show_versions(),
    )
    with writing(artifacts.report.page) as unfinished:
        unfinished.write_text(render(page), "utf-8")
    report_labels(rules, manifest, report.labels, artifacts)
    for path in (artifacts.report.page, artifacts.report.labels):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def report_labels(rules: Rules, manifest: Manifest, count: int, artifacts: Artifacts) -> None:
    """Labels of all pictures that no gradient saw: validation (with folds: all that are held out) and holdout."""
    cache = Cache.open(artifacts.prepare.cache)
    galleries: dict[str, Gallery] = {}
    tables = []
    for split in JUDGED_SPLITS:
        judged = Judged.open(artifacts, manifest, split)
        judgements = judge(judged, rules).table()
        galleries[split] = Gallery(judged, rules, manifest, cache, judgements)
        tables.append(find_contradictions(judged, rules, split))
    table = sort_by_surprise(pd.concat(tables))
    labels = sum(len(gallery.judgements) for gallery in galleries.values())
    with writing(artifacts.report.contradictions) as unfinished:
        table.to_csv(unfinished, index=False, float_format="%.4f")
    doubts = show_doubts(table, galleries, count)
    with writing(artifacts.report.labels) as unfinished:
        listed = artifacts.report.contradictions.name
        unfinished.write_text(render_labels(doubts, len(table), labels, listed, rules.judged_shape), "utf-8")


def needed(artifacts: Artifacts) -> Iterator[tuple[str, Path]]:
    """Everything that the page cannot do without; findings and checkpoints it can."""
    prepare, evaluate = artifacts.prepare, artifacts.evaluate
    yield from (("prepare", path) for path in (prepare.manifest, prepare.images, prepare.truth, prepare.cache))
    yield "train_classifier", artifacts.train_classifier.history
    yield "train_segmenter", artifacts.train_segmenter.history
    yield from (("predict", artifacts.predict.probabilities(split)) for split in JUDGED_SPLITS)
    yield from (("tune", path) for path in (artifacts.tune.rules, artifacts.tune.tables))
    yield from (("evaluate", path) for path in (evaluate.tables, evaluate.plots))


if __name__ == "__main__":
    main(Params.load(), Artifacts())
