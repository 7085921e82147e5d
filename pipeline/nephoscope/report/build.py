"""Build the report: read what the stages of a run wrote, and write the two HTML pages."""

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
from nephoscope.report.images import show_heat_maps
from nephoscope.report.label_issues import LabelIssuesPage, show_label_issues
from nephoscope.report.render import Page, render_label_issues, render_report
from nephoscope.report.results import show_results
from nephoscope.report.run import show_settings, show_splits, show_training, show_versions
from nephoscope.report.tuning import show_tuning
from nephoscope.rules.rules import Rules, read_rules
from nephoscope.settings.params import Params


def build_report(params: Params, artifacts: Artifacts) -> Path:
    """Write report.html, label_issues.html and label_issues.csv of a finished run; return the path of report.html.

    The report shows all settings, so it needs all of `params`.
    """
    for stage, path in _required(artifacts):
        require_artifact(path, stage)
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    page = _collect_page(params, artifacts, manifest, rules)
    _write_text(artifacts.report.page, render_report(page))
    _write_label_issues(params.report.labels, artifacts, manifest, rules)
    return artifacts.report.page


def _required(artifacts: Artifacts) -> Iterator[tuple[str, Path]]:
    """(stage, path) of every artifact without which there is no report. Profile, heat maps and members are optional."""
    prepare, evaluate = artifacts.prepare, artifacts.evaluate
    yield from (("prepare", path) for path in (prepare.manifest, prepare.truth, prepare.cache))
    yield "train_classifier", artifacts.train_classifier.history
    yield "train_segmenter", artifacts.train_segmenter.history
    yield from (("predict", artifacts.predict.probabilities(split)) for split in EVALUATED_SPLITS)
    yield from (("tune", path) for path in (artifacts.tune.rules, artifacts.tune.tables))
    yield from (("evaluate", path) for path in (evaluate.tables, evaluate.plots))


def _collect_page(params: Params, artifacts: Artifacts, manifest: Manifest, rules: Rules) -> Page:
    report, evaluate = params.report, params.evaluate
    labelled = LabelledSplit.open(artifacts, manifest, "holdout")
    tables, curves = read_tables(artifacts.evaluate.tables), read_tables(artifacts.evaluate.plots)
    scores = tables["scores"]
    bootstrap = Bootstrap(evaluate.bootstrap, evaluate.confidence, evaluate.seed, labelled.groups)
    gallery = Gallery(labelled, rules, manifest, Cache.open(artifacts.prepare.cache), scores)
    return Page(
        title=report.title,
        format_name=manifest.metadata.format,
        image_count=len(labelled),
        confidence=evaluate.confidence,
        output_shape=rules.output_shape,
        classes=rules.classes,
        results=show_results(tables, curves, rules),
        comparison=show_comparison(report.earlier, scores, bootstrap) if report.earlier else None,
        tuning=show_tuning(read_tables(artifacts.tune.tables), rules.classes),
        error_types=Table.of_frame("Holdout images per class and error type", count_error_types(scores)),
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


def _write_label_issues(shown_count: int, artifacts: Artifacts, manifest: Manifest, rules: Rules) -> None:
    """Check the labels of images that were not used for training: holdout, and validation (with folds: all folds)."""
    cache = Cache.open(artifacts.prepare.cache)
    galleries: dict[str, Gallery] = {}
    tables = []
    for split in EVALUATED_SPLITS:
        labelled = LabelledSplit.open(artifacts, manifest, split)
        galleries[split] = Gallery(labelled, rules, manifest, cache, score_images(labelled, rules).table())
        tables.append(find_label_issues(labelled, rules, split))
    table = sort_by_surprise(pd.concat(tables))
    with atomic_write(artifacts.report.label_issues) as unfinished:
        table.to_csv(unfinished, index=False, float_format="%.4f")
    page = LabelIssuesPage(
        label_issues=show_label_issues(table.head(shown_count), galleries),
        issue_count=len(table),
        label_count=sum(len(gallery.scores) for gallery in galleries.values()),
        table_name=artifacts.report.label_issues.name,
        output_shape=rules.output_shape,
    )
    _write_text(artifacts.report.labels, render_label_issues(page))


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as unfinished:
        unfinished.write_text(text, "utf-8")
