"""Students → a model folder: the student of all images, with rules from predictions by students that never saw them.

    python -m recipes.gpu.ship --students data/student --out data/student/model

The stage `prepare` must have run with `holdout_share: 0`, and `recipes.gpu.finetune` for fold0 … fold4 and final0.

The card shows the evaluation of all images, each by a student and by rules that never saw it. Predictions are kept in
`--work`, so a rerun only tunes.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml
from tqdm import tqdm

from nephoscope.artifacts import Artifacts
from nephoscope.bundle.card import write_card
from nephoscope.bundle.export import export_model
from nephoscope.bundle.load import open_portable
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.data.truth import Truth
from nephoscope.evaluation.evaluate import evaluate_folds
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.evaluation.store import ProbabilityStore, atomic_store
from nephoscope.evaluation.tables import write_tables
from nephoscope.files import atomic_write, write_json
from nephoscope.inference.trained import predict_rows
from nephoscope.models.checkpoint import save_checkpoint
from nephoscope.models.metadata import load_metadata
from nephoscope.rules.rules import Calibration, Flip, InferenceSettings, Rule, Rules
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.tune import tune_images
from recipes.gpu.data import FOLD_COUNT
from recipes.gpu.export_student import describe, load_student
from recipes.gpu.finetune import FOLDER

FINAL = "final0"
VIEWS: dict[int, tuple[Flip, ...]] = {
    1: ("none",),
    2: ("none", "horizontal"),
    4: ("none", "horizontal", "vertical", "both"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="the pipeline's results")
    parser.add_argument("--students", type=Path, required=True, help="folder of fold0 … fold4 and final0")
    parser.add_argument("--views", type=int, choices=VIEWS, default=2, help="flips whose predictions are averaged")
    parser.add_argument("--folds", type=int, nargs="+", default=range(FOLD_COUNT), help="fewer: scores only, no model")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/clouds-cpu.yaml"), help="names the licence")
    parser.add_argument("--work", type=Path, default=Path("data/student/work"), help="exports and predictions")
    parser.add_argument("--out", type=Path, required=True, help="the model folder")
    options = parser.parse_args()

    artifacts = Artifacts(options.artifacts)
    manifest = Manifest.load(artifacts.prepare.manifest)
    truth = Truth.load(artifacts.prepare.truth, manifest.metadata)
    settings = InferenceSettings(flips=VIEWS[options.views], top_fraction=0.1, classifiers=1, segmenters=1)
    folds = pd.read_csv(FOLDER / "students" / "folds.csv").set_index("image_id")["fold"]
    rows = np.flatnonzero(manifest.images["image_id"].isin(folds.index[folds.isin(options.folds)]))
    fold_of_row = folds[manifest.images["image_id"].to_numpy()[rows]].to_numpy()

    store = options.work / f"views{options.views}-folds{''.join(map(str, options.folds))}.zarr.zip"
    if not store.exists():
        predict_unseen(store, rows, fold_of_row, manifest, settings, options)
    labelled = LabelledSplit(ProbabilityStore.open(store), truth, manifest.groups(rows).tolist())
    tuning = tune_images(labelled, Tune(presence="both"), progress=True)
    write_tables(options.work / f"tuning-views{options.views}", tuning.tables)
    write_json(options.work / f"tuning-views{options.views}.json", tuning.metrics())
    print(tuning, tuning.tables["estimates"].to_string(index=False, float_format="{:.4f}".format), sep="\n")
    if len(options.folds) < FOLD_COUNT:
        return

    bootstrap = Bootstrap(2000, 0.95, 0, labelled.groups)
    human = manifest.metadata.data_format.human_dice
    evaluation = evaluate_folds(labelled, tuning.folds, tuning.fold_rules, bootstrap, human)
    write_tables(options.work / f"evaluation-views{options.views}", evaluation.tables)
    licence = yaml.safe_load(options.recipe.read_text("utf-8"))["export"]["licence"]
    members = save_members(options.students, FINAL, manifest, -1, options.work)
    with atomic_write(options.out) as unfinished:
        export_model(unfinished, [members[1]], [members[0]], tuning.rules, half=True)
        metadata = [load_metadata(path) for path in reversed(members)]
        card = write_card(metadata, manifest, tuning.rules, licence, evaluation.tables, all_images=True)
        (unfinished / "card.md").write_text(card, "utf-8")


def save_members(students: Path, name: str, manifest: Manifest, fold: int, work: Path) -> list[Path]:
    """Checkpoints of a student's segmenter and classifier."""
    work.mkdir(parents=True, exist_ok=True)
    paths = []
    for network in load_student(students / f"student-coarse-{name}.safetensors"):
        path = work / f"{network.kind}-{name}.safetensors"
        metadata = describe(network, manifest.metadata, 0, fold, manifest.metadata.cache_shape)
        save_checkpoint(path, network, metadata, half=True)
        paths.append(path)
    return paths


def predict_unseen(
    path: Path,
    rows: npt.NDArray[np.int64],
    fold_of_row: npt.NDArray[np.int64],
    manifest: Manifest,
    settings: InferenceSettings,
    options: argparse.Namespace,
) -> None:
    """A store in which every image is predicted by the exported student that never saw it."""
    data, cache = manifest.metadata, Cache.open(options.artifacts / "prepare" / "cache")
    placeholder = Rules(
        classes=data.classes,
        output_shape=data.output_shape,
        inference_settings=settings,
        classifier_weight=1,
        classifier_calibrations=tuple(Calibration() for _ in data.classes),
        top_fraction_calibrations=tuple(Calibration() for _ in data.classes),
        rules=tuple(Rule(presence_threshold=0, pixel_threshold=128, min_area=0) for _ in data.classes),
    )
    image_ids = manifest.images["image_id"].to_numpy()[rows].tolist()
    place = {int(row): index for index, row in enumerate(rows)}
    writing = atomic_store(path, image_ids, data.classes, data.output_shape, settings)
    with writing as writer, tqdm(total=len(rows), unit="image") as progress:
        for fold in options.folds:
            folder = options.work / f"views{options.views}-fold{fold}"
            if not folder.exists():
                segmenter, classifier = save_members(options.students, f"fold{fold}", manifest, fold, options.work)
                with atomic_write(folder) as unfinished:
                    export_model(unfinished, [classifier], [segmenter], placeholder, half=True)
            model, _ = open_portable(folder, "openvino")
            for row, prediction in predict_rows(model, cache, rows[fold_of_row == fold], 16):
                writer.write(place[row], prediction)
                progress.update()


if __name__ == "__main__":
    main()
