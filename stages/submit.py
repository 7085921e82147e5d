"""Submit: unlabelled images, both networks and the rules in, the competition's file out."""

from collections.abc import Iterator
from heapq import merge
from operator import itemgetter

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nephoscope.artifacts import Artifacts, require_artifact
from nephoscope.batch.submission import write_submission
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.data.problems import read_unlabelled_set_aside
from nephoscope.hardware import keep_freed_memory
from nephoscope.inference.result import decide_results
from nephoscope.inference.trained import open_ensemble, predict_rows
from nephoscope.rules.rules import read_rules
from nephoscope.settings.inference import Submit
from nephoscope.settings.params import Params


def main(params: Submit, artifacts: Artifacts) -> None:
    keep_freed_memory()
    manifest = Manifest.load(artifacts.prepare.manifest)
    # The competition expects rows for every image, also for those that cannot be read.
    set_aside = read_unlabelled_set_aside(require_artifact(artifacts.prepare.problems, "prepare"))
    empty = np.zeros((len(manifest.metadata.classes), *manifest.metadata.output_shape), bool)
    count = write_submission(
        artifacts.submit.submission,
        manifest.metadata.data_format,
        merge(predict_masks(manifest, params, artifacts), ((name, empty) for name in set_aside), key=itemgetter(0)),
    )
    content = f"{count} images" if count else "no unlabelled images, so the header alone"
    aside = f", {len(set_aside)} of them set aside by prepare and therefore empty" if set_aside else ""
    print(f"{artifacts.submit.submission}: {content}{aside}")


def predict_masks(
    manifest: Manifest, params: Submit, artifacts: Artifacts
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """(image_id, masks) of the unlabelled images, sorted by image_id."""
    rows = manifest.rows("unlabelled")
    if rows.size == 0:
        return
    rules = read_rules(artifacts.tune.rules)
    members = artifacts.train_classifier.members, artifacts.train_segmenter.members
    model = open_ensemble(*members, manifest.metadata, rules.inference_settings, params.machine)
    print(f"submit: the networks compute in {', '.join(sorted(set(model.engines.values())))}")
    predictions = predict_rows(model, Cache.open(artifacts.prepare.cache), rows, params.batch_size)
    for row, prediction in tqdm(predictions, total=len(rows), desc="submit", unit="image"):
        image_id = str(manifest.images["image_id"].iloc[row])
        (result,) = decide_results([image_id], [prediction], rules)
        yield image_id, result.masks


if __name__ == "__main__":
    main(Params.load().submit, Artifacts())
