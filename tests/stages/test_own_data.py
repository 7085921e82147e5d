"""Data sets with classes of their own, through all stages."""

from pathlib import Path

import numpy as np
import pytest

import stages.prepare
from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.files import read_json
from nephoscope.masks.geometry import from_planes
from tests.builders.own_datasets import THREE, TWELVE, own_params, write_own


def prepare(tmp_path: Path, name: str, classes: tuple[str, ...]) -> Artifacts:
    dataset, artifacts = tmp_path / "data" / name, Artifacts(tmp_path / name)
    write_own(dataset, name, classes)
    stages.prepare.main(own_params(artifacts, dataset, name, classes).prepare, artifacts)
    return artifacts


@pytest.mark.parametrize("classes", [THREE[:1], THREE, TWELVE], ids=len)
def test_the_same_labels_give_the_same_truth_in_every_format(tmp_path: Path, classes: tuple[str, ...]) -> None:
    runs = {name: prepare(tmp_path, name, classes).prepare for name in ("boxes", "coco", "masks")}
    first = runs["boxes"]
    for run in runs.values():
        manifest, cache = Manifest.load(run.manifest), Cache.open(run.cache)
        assert manifest.metadata.classes == classes
        assert (run.truth.read_bytes(), run.images.read_bytes()) == (
            first.truth.read_bytes(),
            first.images.read_bytes(),
        )
        for array in ("images", "truth", "visible"):
            assert (run.cache / f"{array}.npy").read_bytes() == (first.cache / f"{array}.npy").read_bytes()
        shown = from_planes(cache.truth, len(classes)).any(axis=(2, 3))
        assert np.array_equal(shown, manifest.presence())
        assert shown.any(axis=0).all()
    content = read_json(first.manifest / "manifest.json")
    assert Metadata.from_dict(content).data_format.classes == classes
