"""The stage as a whole: nothing in, a data set out."""

import pandas as pd

from nephoscope.artifacts import Artifacts
from nephoscope.settings.data import Synthesize
from stages import synthesize


def test_the_stage_writes_only_a_data_set(tmp_path):
    artifacts = Artifacts(tmp_path)
    synthesize.main(Synthesize(labelled=3, unlabelled=1, shape=(35, 53)), artifacts)
    dataset = artifacts.synthesize.dataset
    assert [path.name for path in tmp_path.rglob("*") if path.parent in (tmp_path, dataset.parent)] == [
        "synthesize",
        "dataset",
    ]
    assert sorted(path.name for path in dataset.iterdir()) == ["test_images", "train.csv", "train_images"]
    assert len(pd.read_csv(dataset / "train.csv")) == 12


def test_running_again_replaces_the_data_set(tmp_path):
    artifacts = Artifacts(tmp_path)
    for labelled in (2, 1):
        synthesize.main(Synthesize(labelled=labelled, unlabelled=0, shape=(35, 53)), artifacts)
    assert len(list((artifacts.synthesize.dataset / "train_images").iterdir())) == 1


def test_steel_takes_its_own_shape(tmp_path):
    artifacts = Artifacts(tmp_path)
    synthesize.main(Synthesize(format="severstal", csv_layout="split", labelled=1, unlabelled=0), artifacts)
    columns = pd.read_csv(artifacts.synthesize.dataset / "train.csv").columns
    assert list(columns) == ["ImageId", "ClassId", "EncodedPixels"]
