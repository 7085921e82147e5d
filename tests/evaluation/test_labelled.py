"""A split is refused if its probabilities do not belong to the images of the manifest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import stages.evaluate
import stages.tune
from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.data.truth import write_truth
from nephoscope.errors import UserError
from nephoscope.evaluation.labelled import LabelledSplit
from nephoscope.settings.tuning import Evaluate, Tune
from tests.builders.labelled_scenes import write_labelled

METADATA = Metadata("clouds", ("a", "b"), (24, 36), (24, 36), (8, 12))


def run_of(root: Path, splits: dict[str, str], folds: dict[str, int] | None = None) -> tuple[Artifacts, Manifest]:
    """A manifest of these images, and stores of 0000.jpg to 0002.jpg that may not match it."""
    artifacts, folds = Artifacts(root), folds or {}
    rows = [(name, name, split, folds.get(name, -1), index) for index, (name, split) in enumerate(splits.items())]
    metadata = METADATA if not folds else Metadata(**{**METADATA.to_dict(), "folds": 2})
    manifest = Manifest(metadata, pd.DataFrame(rows, columns=["image_id", "file", "split", "fold", "group"]))
    manifest.save(artifacts.prepare.manifest)
    write_truth([("0001.jpg", "a", "1 9")], artifacts.prepare.truth)
    artifacts.predict.folder.mkdir()
    for split in ("validation", "holdout"):
        write_labelled(artifacts.predict.probabilities(split), count=3)
    return artifacts, manifest


def test_a_split_has_its_own_truth(tmp_path: Path) -> None:
    splits = {"0000.jpg": "holdout", "x.jpg": "train", "0001.jpg": "holdout", "0002.jpg": "holdout"}
    artifacts, manifest = run_of(tmp_path, splits)
    labelled = LabelledSplit.open(artifacts, manifest, "holdout")
    assert labelled.image_ids == ("0000.jpg", "0001.jpg", "0002.jpg")
    assert [image.truth.sum() for image in labelled] == [0, 9, 0]


def test_a_split_has_the_near_duplicates_of_the_manifest(tmp_path: Path) -> None:
    splits = {"0000.jpg": "holdout", "x.jpg": "train", "0001.jpg": "holdout", "0002.jpg": "holdout"}
    artifacts, manifest = run_of(tmp_path, splits)
    manifest = replace(manifest, images=manifest.images.assign(group=[7, 1, 3, 7]))
    assert LabelledSplit.open(artifacts, manifest, "holdout").groups.tolist() == [0, 1, 0]


def test_with_folds_validation_is_every_fold(tmp_path: Path) -> None:
    splits = dict.fromkeys(("0000.jpg", "0001.jpg", "0002.jpg", "x.jpg"), "train")
    artifacts, manifest = run_of(tmp_path, splits, {"0000.jpg": 0, "0001.jpg": 1, "0002.jpg": 0})
    assert len(LabelledSplit.open(artifacts, manifest, "validation")) == 3


@pytest.mark.parametrize("split", ["validation", "holdout"])
def test_a_split_without_images_names_its_setting(tmp_path: Path, split: str) -> None:
    artifacts, manifest = run_of(tmp_path, {"x.jpg": "train"})
    with pytest.raises(UserError, match=f"{split} has no images; set prepare.{split}_share above 0"):
        LabelledSplit.open(artifacts, manifest, split)


def tune(artifacts: Artifacts) -> None:
    stages.tune.main(Tune(), artifacts)


def evaluate(artifacts: Artifacts) -> None:
    stages.evaluate.main(Evaluate(), artifacts)


@pytest.mark.parametrize(("split", "stage"), [("validation", tune), ("holdout", evaluate)])
@pytest.mark.parametrize(
    "names",
    [("0000.jpg", "0001.jpg"), ("0000.jpg", "0001.jpg", "0003.jpg"), ("0001.jpg", "0000.jpg", "0002.jpg")],
    ids=["fewer", "others", "in another order"],
)
def test_probabilities_of_other_images_are_refused(
    tmp_path: Path, split: str, stage: Callable[[Artifacts], None], names: tuple[str, ...]
) -> None:
    artifacts, _ = run_of(tmp_path, dict.fromkeys(names, split))
    message = rf"{split}\.zarr\.zip: its 3 images differ from the {len(names)} images .* `python -m stages\.predict`"
    with pytest.raises(UserError, match=message):
        stage(artifacts)
    assert not artifacts.tune.folder.exists()
    assert not artifacts.evaluate.folder.exists()
