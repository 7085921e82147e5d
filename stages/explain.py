"""Explain: the classifier and the scores of holdout in, heat maps of its worst errors out."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from nephoscope.artifacts import Artifacts, require_artifact
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.error_types import find_worst_errors
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.overlays import heat_name, write_heat
from nephoscope.files import atomic_write
from nephoscope.hardware import keep_freed_memory
from nephoscope.inference.grad_cam import Explainer
from nephoscope.inference.trained import first_members
from nephoscope.models.metadata import refuse_other_data
from nephoscope.rules.rules import read_rules
from nephoscope.settings.inference import Explain
from nephoscope.settings.params import Params


def main(params: Explain, artifacts: Artifacts) -> None:
    keep_freed_memory()
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    errors = find_worst_errors(read_scores(manifest, artifacts), rules, params.worst)

    keys: list[tuple[str, str]] = list(zip(errors["image_id"], errors["class_name"], strict=True))
    # No member was trained on holdout images, so the members for new images explain them.
    classifiers = first_members(artifacts.train_classifier.members, rules.inference_settings.classifiers)
    refuse_other_data(classifiers, manifest.metadata)
    draw_errors(keys, manifest, Explainer.open(classifiers, params.machine), artifacts)
    with atomic_write(artifacts.explain.table) as unfinished:
        errors.assign(file=[heat_name(*key) for key in keys]).to_csv(unfinished, index=False)
    print(f"{artifacts.explain.heat_maps}: {len(keys)} errors of presence")


def read_scores(manifest: Manifest, artifacts: Artifacts) -> pd.DataFrame:
    """The scores of `evaluate`; an error if they are of other images than the present holdout."""
    scores = read_table(require_artifact(artifacts.evaluate.tables / "scores.csv", "evaluate"))
    others = set(scores["image_id"]) - set(manifest.images["image_id"].iloc[manifest.rows("holdout")])
    if others:
        raise UserError(
            f"{artifacts.evaluate.tables}: {len(others)} of its images are not in holdout, for example {min(others)}; "
            "`prepare` has run since, so run `dvc repro`"
        )
    return scores


def draw_errors(keys: list[tuple[str, str]], manifest: Manifest, explainer: Explainer, artifacts: Artifacts) -> None:
    """One heat map for each pair (image_id, class_name)."""
    metadata, cache = manifest.metadata, Cache.open(artifacts.prepare.cache)
    rows = {image_id: row for row, image_id in enumerate(manifest.images["image_id"])}
    with atomic_write(artifacts.explain.heat_maps) as folder:
        folder.mkdir()
        for image_id, class_name in tqdm(keys, desc="explain", unit="error"):
            image, visible = (np.asarray(array[rows[image_id]]) for array in (cache.images, cache.visible))
            (heat,) = explainer.explain(image, visible, [metadata.classes.index(class_name)]).heat_maps
            write_heat(folder / heat_name(image_id, class_name), image, heat, metadata.output_shape)


if __name__ == "__main__":
    main(Params.load().explain, Artifacts())
