"""Report: everything that the other stages found in, one page to read out.

It shows all settings, so alone among the stages it takes the whole of Params.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nephoscope.artifacts import Artifacts, require_artifact
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.error_types import count_error_types
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.label_issues import find_label_issues, sort_by_surprise
from nephoscope.evaluation.labelled import EVALUATED_SPLITS, LabelledSplit
from nephoscope.evaluation.scores import score_images
from nephoscope.evaluation.tables import read_tables
from nephoscope.figures.tables import Table
from nephoscope.files import atomic_write
from nephoscope.report.comparison import show_comparison
from nephoscope.report.data_profile import show_problems, show_profile
from nephoscope.report.gallery import Gallery
from nephoscope.report.heat_maps import show_heat_maps
from nephoscope.report.label_issues import render_label_issues, show_label_issues
from nephoscope.report.render import Page, render
from nephoscope.report.results import show_results
from nephoscope.report.run import show_settings, show_splits, show_training, show_versions
from nephoscope.report.tuning import show_tuning
from nephoscope.rules.rules import Rules, read_rules
from nephoscope.settings.params import Params


def main(params: Params, artifacts: Artifacts) -> None:
    for stage, path in needed(artifacts):
        require_artifact(path, stage)
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    labelled = LabelledSplit.open(artifacts, manifest, "holdout")
    tables, curves = read_tables(artifacts.evaluate.tables), read_tables(artifacts.evaluate.plots)

    evaluate_settings = params.evaluate
    bootstrap = Bootstrap(evaluate_settings.bootstrap, evaluate_settings.confidence, evaluate_settings.seed)
    report, earlier = params.report, params.report.earlier
    gallery = Gallery(labelled, rules, manifest, Cache.open(artifacts.prepare.cache), tables["scores"])
    page = Page(
        title=report.title,
        format_name=manifest.metadata.format,
        pictures=len(labelled),
        confidence=evaluate_settings.confidence,
        output_shape=rules.output_shape,
        classes=rules.classes,
        results=show_results(tables, curves, rules),
        comparison=show_comparison(earlier, tables["scores"], bootstrap) if earlier else None,
        tuned=show_tuning(read_tables(artifacts.tune.tables), rules.classes),
        error_types=Table.of_frame("Holdout pictures by what became of a class", count_error_types(tables["scores"])),
        galleries=gallery.show_groups(tables["pictures"], report.best, report.median, report.worst),
        heat_maps=show_heat_maps(artifacts.explain.table, artifacts.explain.heat_maps),
        trainings=(
            show_training("classifier", artifacts.train_classifier),
            show_training("segmenter", artifacts.train_segmenter),
        ),
        profile=show_profile(artifacts.prepare.profile, manifest),
        problems=show_problems(artifacts.prepare.problems),
        splits=show_splits(manifest.images["split"]),
        settings=show_settings(params),
        versions=show_versions(),
    )
    with atomic_write(artifacts.report.page) as unfinished:
        unfinished.write_text(render(page), "utf-8")
    report_labels(rules, manifest, report.labels, artifacts)
    for path in (artifacts.report.page, artifacts.report.labels):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def report_labels(rules: Rules, manifest: Manifest, count: int, artifacts: Artifacts) -> None:
    """Labels of all pictures that no gradient saw: validation (with folds: all that are held out) and holdout."""
    cache = Cache.open(artifacts.prepare.cache)
    galleries: dict[str, Gallery] = {}
    tables = []
    for split in EVALUATED_SPLITS:
        labelled = LabelledSplit.open(artifacts, manifest, split)
        scores = score_images(labelled, rules).table()
        galleries[split] = Gallery(labelled, rules, manifest, cache, scores)
        tables.append(find_label_issues(labelled, rules, split))
    table = sort_by_surprise(pd.concat(tables))
    labels = sum(len(gallery.scores) for gallery in galleries.values())
    with atomic_write(artifacts.report.label_issues) as unfinished:
        table.to_csv(unfinished, index=False, float_format="%.4f")
    label_issues = show_label_issues(table, galleries, count)
    with atomic_write(artifacts.report.labels) as unfinished:
        listed = artifacts.report.label_issues.name
        unfinished.write_text(
            render_label_issues(label_issues, len(table), labels, listed, rules.output_shape), "utf-8"
        )


def needed(artifacts: Artifacts) -> Iterator[tuple[str, Path]]:
    """Everything that the page cannot do without; findings and checkpoints it can."""
    prepare, evaluate = artifacts.prepare, artifacts.evaluate
    yield from (("prepare", path) for path in (prepare.manifest, prepare.truth, prepare.cache))
    yield "train_classifier", artifacts.train_classifier.history
    yield "train_segmenter", artifacts.train_segmenter.history
    yield from (("predict", artifacts.predict.probabilities(split)) for split in EVALUATED_SPLITS)
    yield from (("tune", path) for path in (artifacts.tune.rules, artifacts.tune.tables))
    yield from (("evaluate", path) for path in (evaluate.tables, evaluate.plots))


if __name__ == "__main__":
    main(Params.load(), Artifacts())
