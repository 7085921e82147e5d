"""Does a changed setting help? Compares experiments by cross-fitted Dice on validation, paired by image:

    python -m benchmarks.experiments run base --params recipes/clouds-cpu.yaml --prepared artifacts/prepare
    python -m benchmarks.experiments run cutmix --from base --set train_classifier.augmentation.cutmix=0.5
    python -m benchmarks.experiments run seed-1 --from base --set 'train_classifier.seeds=[1]'
    python -m benchmarks.experiments mean both --of base seed-1
    python -m benchmarks.experiments table --against base

An experiment has a folder with its settings, networks, maps and scores. It reuses the parts of its base that its change
does not affect. `mean` averages the maps and presences of other experiments. Holdout is never used. An interrupted
experiment resumes.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn.metrics import average_precision_score

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.store import Prediction, ProbabilityStore, atomic_store
from nephoscope.files import read_json, write_json
from nephoscope.rules.presence import fuse
from nephoscope.settings.params import Params
from nephoscope.training.train import SEGMENTER
from nephoscope.tuning.tune import tune
from stages import train_classifier, train_segmenter
from stages.predict import predict_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("experiments"), help="of all experiments")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="one experiment")
    run.add_argument("name")
    begin = run.add_mutually_exclusive_group(required=True)
    begin.add_argument("--from", dest="base", help="the experiment that it changes")
    begin.add_argument("--params", type=Path, help="a parameter file, for the first experiment")
    run.add_argument("--prepared", type=Path, help="what `prepare` made, for the first experiment")
    run.add_argument("--set", nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="as in params.yaml")
    run.set_defaults(call=run_experiment)
    mean = commands.add_parser("mean", help="maps and presences of several, averaged")
    mean.add_argument("name")
    mean.add_argument("--of", nargs="+", required=True, metavar="NAME", help="named twice, it counts twice")
    mean.set_defaults(call=average_experiments)
    table = commands.add_parser("table", help="all experiments against one")
    table.add_argument("--against", required=True)
    table.set_defaults(call=print_table)
    arguments = parser.parse_args()
    arguments.call(arguments)


def run_experiment(arguments: argparse.Namespace) -> None:
    folder, base = arguments.folder / arguments.name, arguments.folder / arguments.base if arguments.base else None
    content = yaml.safe_load((base / "params.yaml" if base else arguments.params).read_text("utf-8"))
    for change in arguments.set:
        key, _, value = change.partition("=")
        set_key(content, key.split("."), yaml.safe_load(value))
    params, artifacts = Params.model_validate(content), Artifacts(folder / "artifacts")
    artifacts.root.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    link(artifacts.prepare.folder, base / "artifacts" / "prepare" if base else arguments.prepared)

    before = Params.load(base / "params.yaml") if base else None
    seconds = dict.fromkeys(STAGES, 0.0)
    same: dict[str, bool] = {}
    for name, stage in STAGES.items():
        unchanged = before is not None and getattr(before, name) == getattr(params, name)
        same[name] = unchanged and all(same[other] for other in feeds(name, params))
        begin = time.monotonic()
        if base and same[name]:
            link(getattr(artifacts, name).folder, base / "artifacts" / name)
        else:
            stage(params, artifacts)
        seconds[name] = time.monotonic() - begin
    metrics = {name: read_json(getattr(artifacts, name).metrics) for name in TRAINED}
    facts = {"training seconds": round(sum(seconds[name] for name in TRAINED)), "training": metrics}
    score_experiment(params, artifacts, folder, facts)


def average_experiments(arguments: argparse.Namespace) -> None:
    folder, averaged = arguments.folder / arguments.name, [arguments.folder / name for name in arguments.of]
    params, artifacts = Params.load(averaged[0] / "params.yaml"), Artifacts(folder / "artifacts")
    artifacts.predict.folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(averaged[0] / "params.yaml", folder / "params.yaml")
    link(artifacts.prepare.folder, averaged[0] / "artifacts" / "prepare")
    validation = [Artifacts(each / "artifacts").predict.probabilities("validation") for each in averaged]
    average_stores(validation, artifacts.predict.probabilities("validation"))
    score_experiment(params, artifacts, folder, {MEAN_OF: arguments.of})


def average_stores(paths: list[Path], averaged: Path) -> None:
    """The mean of stores of the same images and classes, written to `averaged`."""
    stores = [ProbabilityStore.open(path) for path in paths]
    first = stores[0]
    for path, store in zip(paths, stores, strict=True):
        if (store.image_ids, store.classes) != (first.image_ids, first.classes):
            raise UserError(
                f"{path}: has other images or classes than {paths[0]}; average experiments with the same split"
            )
    shape = first[0].levels.shape[1:]
    with atomic_store(averaged, first.image_ids, first.classes, shape, first.inference_settings) as writer:
        for index in range(len(first)):
            predictions = [store[index] for store in stores]
            levels = np.rint(np.mean([prediction.levels for prediction in predictions], axis=0)).astype(np.uint8)
            classifier = np.mean([prediction.classifier for prediction in predictions], axis=0)
            top_mean = np.mean([prediction.top_mean for prediction in predictions], axis=0)
            writer.write(index, Prediction(levels, predictions[0].visible, classifier, top_mean))


def train(name: str, stage: Callable[[Any, Artifacts], None], params: Params, artifacts: Artifacts) -> None:
    if not getattr(artifacts, name).members.is_dir():
        stage(getattr(params, name), artifacts)


def predict_validation(params: Params, artifacts: Artifacts) -> None:
    if not artifacts.predict.probabilities("validation").exists():
        artifacts.predict.folder.mkdir(exist_ok=True)
        manifest = Manifest.load(artifacts.prepare.manifest)
        predict_split("validation", manifest.tuning_rows(), manifest, params.predict, artifacts)


MEAN_OF = "mean of"
TRAINED = ("train_segmenter", "train_classifier")
STAGES: dict[str, Callable[[Params, Artifacts], None]] = {
    "train_segmenter": partial(train, "train_segmenter", train_segmenter.main),
    "train_classifier": partial(train, "train_classifier", train_classifier.main),
    "predict": predict_validation,
}
"""In their order. A stage does nothing if its output exists."""


def feeds(name: str, params: Params) -> tuple[str, ...]:
    """The stages whose output this stage uses."""
    if name == "predict":
        return TRAINED
    begins_with_segmenter = name == "train_classifier" and params.train_classifier.weights == SEGMENTER
    return ("train_segmenter",) if begins_with_segmenter else ()


def set_key(content: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        content = content.setdefault(key, {})
    content[keys[-1]] = value


def link(place: Path, target: Path) -> None:
    if not place.exists():
        place.symlink_to(target.resolve())


def score_experiment(params: Params, artifacts: Artifacts, folder: Path, facts: dict[str, Any]) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    rows = manifest.tuning_rows()
    labelled = LabelledSplit.open(artifacts, manifest, "validation")
    tuning = tune(labelled.store, labelled.truth, settings=params.tune)
    names = list(manifest.metadata.classes)
    pd.DataFrame(tuning.cross_fitted, columns=names, index=manifest.images["image_id"].iloc[rows]).to_csv(
        folder / "cross_fitted.csv"
    )
    shown, raw = manifest.presence(rows), labelled.raw
    presences = {"classifier": raw.classifier, "pixels": raw.top_mean, "fused": fuse(raw, tuning.rules)}
    precision = {source: precisions(shown, scores) for source, scores in presences.items()}
    write_json(folder / "summary.json", {
        "cross-fitted Dice": float(tuning.cross_fitted.mean()), "tuned Dice": float(tuning.tuned.mean()),
        "average precision of presence": precision, **facts,
    })  # fmt: skip
    print(json.dumps(read_json(folder / "summary.json"), indent=1))


def precisions(shown: np.ndarray, scores: np.ndarray) -> list[float]:
    return [float(average_precision_score(*pair)) for pair in zip(shown.T, scores.T, strict=True)]


def print_table(arguments: argparse.Namespace) -> None:
    against: Path = arguments.folder / arguments.against
    base = read_scores(against)
    print(f"| experiment | what differs | Dice | ahead of {against.name} | presence AP: classifier, pixels, fused |")
    print("|---|---|--:|---|---|")
    for path in sorted(arguments.folder.glob("*/cross_fitted.csv"), key=lambda path: path.stat().st_mtime):
        scores, summary = read_scores(path.parent).loc[base.index], read_json(path.parent / "summary.json")
        ahead = Bootstrap().compare(base.to_numpy(), scores.to_numpy()).difference
        fused = ", ".join(f"{np.mean(each):.3f}" for each in summary["average precision of presence"].values())
        paired = f"{ahead.mean:+.4f} [{ahead.low:+.4f}, {ahead.high:+.4f}]"
        of = summary.get(MEAN_OF)
        differs = f"mean of {', '.join(of)}" if of else "; ".join(differences(against, path.parent))
        print(f"| {path.parent.name} | {differs} | {scores.to_numpy().mean():.4f} | {paired} | {fused} |")


def differences(base: Path, other: Path) -> Iterator[str]:
    """`section.key: value` for every setting in which the other experiment differs from its base."""
    settings = [flatten(Params.load(folder / "params.yaml").model_dump(mode="json")) for folder in (base, other)]
    for key, value in settings[1].items():
        if settings[0].get(key) != value:
            yield f"{key}: {value}"


def flatten(settings: dict[str, Any], start: str = "") -> dict[str, Any]:
    """
    >>> flatten({"a": {"b": 1, "c": {"d": 2}}})
    {'a.b': 1, 'a.c.d': 2}
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{start}{key}.") if isinstance(value, dict) else {f"{start}{key}": value}
    return flat


def read_scores(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "cross_fitted.csv", index_col=0)


if __name__ == "__main__":
    main()
