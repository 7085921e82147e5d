"""Explain: the classifier and the holdout's judgements in, heat maps of the worst errors of presence out."""

import numpy as np
from tqdm import tqdm

from nephoscope.artifacts import Artifacts, written
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.errors import Mendable
from nephoscope.evaluation.error_types import find_worst_errors
from nephoscope.evaluation.tables import read_table
from nephoscope.figures.overlays import heat_name, write_heat
from nephoscope.files import writing
from nephoscope.hardware import calm_allocator
from nephoscope.inference.grad_cam import Explainer
from nephoscope.inference.trained import first_members
from nephoscope.models.metadata import refuse_other_data
from nephoscope.rules.file import read_rules
from nephoscope.settings.inference import Explain
from nephoscope.settings.params import Params


def main(params: Explain, artifacts: Artifacts) -> None:
    calm_allocator()
    manifest = Manifest.load(artifacts.prepare.manifest, artifacts.prepare.images)
    rules = read_rules(artifacts.tune.rules)
    judgements = read_table(written(artifacts.evaluate.tables / "judgements.csv", "evaluate"))
    strangers = set(judgements["image_id"]) - set(manifest.images["image_id"].iloc[manifest.rows("holdout")])
    if strangers:
        raise Mendable(
            f"{artifacts.evaluate.tables}: judges {len(strangers)} pictures that are not holdout, {min(strangers)} "
            "first; `prepare` has chosen others since: `dvc repro` makes everything anew that depends on it"
        )
    errors = find_worst_errors(judgements, rules, params.worst)

    keys: list[tuple[str, str]] = list(zip(errors["image_id"], errors["class_name"], strict=True))
    # Holdout pictures are new to all members, so those speak that see new pictures.
    classifiers = first_members(artifacts.train_classifier.members, rules.reading.classifiers)
    refuse_other_data(classifiers, manifest.facts)
    draw_errors(keys, manifest, Explainer.open(classifiers, params.machine), artifacts)
    with writing(artifacts.explain.table) as unfinished:
        errors.assign(file=[heat_name(*key) for key in keys]).to_csv(unfinished, index=False)
    print(f"{artifacts.explain.heat_maps}: {len(keys)} errors of presence")


def draw_errors(keys: list[tuple[str, str]], manifest: Manifest, explainer: Explainer, artifacts: Artifacts) -> None:
    """A heat map per picture and class."""
    facts, cache = manifest.facts, Cache.open(artifacts.prepare.cache)
    rows = {image_id: row for row, image_id in enumerate(manifest.images["image_id"])}
    with writing(artifacts.explain.heat_maps) as folder:
        folder.mkdir()
        for image_id, class_name in tqdm(keys, desc="explain", unit="error"):
            image, visible = (np.asarray(array[rows[image_id]]) for array in (cache.images, cache.visible))
            (heat,) = explainer.explain(image, visible, [facts.classes.index(class_name)]).heats
            write_heat(folder / heat_name(image_id, class_name), image, heat, facts.judged_shape)


if __name__ == "__main__":
    main(Params.load().explain, Artifacts())
