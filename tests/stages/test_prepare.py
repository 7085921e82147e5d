"""The stage as a whole: what it writes, rejects and sets aside."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.data.problems import DataProblemsError
from nephoscope.data.truth import Truth
from nephoscope.masks.geometry import from_planes, resize_mask
from nephoscope.settings.data import Prepare
from nephoscope.training.members import list_members, member_rows
from stages import prepare, synthesize
from tests.builders.datasets import cloud_rows, write_clouds, write_picture
from tests.builders.killing import die, exit_code_of
from tests.builders.pipeline_run import tiny_params

CLOUDS = Path(os.environ.get("NEPHOSCOPE_CLOUDS", "../shared/clouds"))
NAMES = [f"{index}.jpg" for index in range(12)]
BOX = " ".join(f"{1 + 1400 * column} 700" for column in range(300, 900))


@pytest.fixture
def root(tmp_path):
    rows = [row for index, name in enumerate(NAMES) for row in cloud_rows(name, **({"Fish": BOX} if index % 2 else {}))]
    write_picture(tmp_path / "root" / "test_images" / "u.jpg")
    return write_clouds(tmp_path / "root", rows, NAMES)


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(tmp_path / "artifacts")


def load(artifacts):
    return Manifest.load(artifacts.prepare.manifest)


def test_it_writes_manifest_cache_truth_and_profile(root, artifacts, capsys):
    prepare.main(Prepare(root=root, cache_shape=(20, 30)), artifacts)
    manifest, cache = load(artifacts), Cache.open(artifacts.prepare.cache)
    assert manifest.images["image_id"].tolist() == [*sorted(NAMES), "u.jpg"]
    assert manifest.images["split"].value_counts().to_dict() == {
        "train": 8, "validation": 2, "holdout": 2, "unlabelled": 1,
    }  # fmt: skip
    assert cache.images.shape == (13, 20, 30, 3)
    assert manifest.presence().sum() == from_planes(cache.truth, 4).any(axis=(2, 3)).sum() == 6
    truth = Truth.load(artifacts.prepare.truth, manifest.metadata)
    for row, image_id in enumerate(manifest.images["image_id"]):
        small = [resize_mask(mask, (20, 30)) for mask in truth.masks(image_id)]
        np.testing.assert_array_equal(from_planes(cache.truth[row], 4), small)
    names = {path.name for path in artifacts.prepare.profile.iterdir()}
    assert {"samples.png", "co_occurrence.png", "masks_per_image.csv", "area_per_class.csv"} <= names
    assert len(pd.read_csv(artifacts.prepare.problems)) == 0
    assert capsys.readouterr().out.startswith("13 images: 8 train, 2 validation, 2 holdout, 1 unlabelled")


def prepare_until_killed(settings: Prepare, artifacts: Artifacts) -> None:
    prepare.write_profile = die
    prepare.main(settings, artifacts)


def test_a_killed_run_leaves_no_manifest(root, artifacts):
    settings = Prepare(root=root, cache_shape=(20, 30))
    prepare.main(settings, artifacts)
    assert exit_code_of(prepare_until_killed, settings, artifacts) == 9
    assert not (artifacts.prepare.manifest / "manifest.json").exists()
    prepare.main(settings, artifacts)
    assert len(load(artifacts).images) == 13


def test_equal_settings_give_equal_files(root, artifacts, tmp_path):
    again = Artifacts(tmp_path / "again")
    for target in (artifacts, again):
        prepare.main(Prepare(root=root, cache_shape=(20, 30)), target)
    for path in sorted(artifacts.root.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again.root / path.relative_to(artifacts.root)).read_bytes(), path.name


def test_folds_pool_train_and_validation(root, artifacts):
    prepare.main(Prepare(root=root, cache_shape=(20, 30), folds=2), artifacts)
    manifest = load(artifacts)
    assert manifest.metadata.folds == 2
    assert manifest.images.groupby("split")["fold"].unique().map(sorted).to_dict() == {
        "train": [0, 1], "holdout": [-1], "unlabelled": [-1],
    }  # fmt: skip


def test_only_some_of_the_folds_can_be_held_out(root, artifacts):
    prepare.main(Prepare(root=root, cache_shape=(20, 30), folds=3, folds_held_out=2), artifacts)
    manifest = load(artifacts)
    assert manifest.metadata.folds == 2
    assert manifest.images.groupby("split")["fold"].unique().map(sorted).to_dict() == {
        "train": [-1, 0, 1], "holdout": [-1], "unlabelled": [-1],
    }  # fmt: skip
    tuned_on = manifest.images["fold"].to_numpy()[manifest.tuning_rows()]
    assert sorted(set(tuned_on)) == [0, 1]
    assert len(tuned_on) == (manifest.images["fold"] >= 0).sum()
    members = list_members((0,), manifest.metadata.folds)
    assert [member.fold for member in members] == [0, 1]
    for member in members:
        learnt, chosen = member_rows(member, manifest)
        assert set(manifest.images["fold"].to_numpy()[learnt]) == {-1, 1 - member.fold}
        assert set(manifest.images["fold"].to_numpy()[chosen]) == {member.fold}


def test_problems_are_rejected_and_no_manifest_is_left(root, artifacts):
    prepare.main(Prepare(root=root, cache_shape=(20, 30)), artifacts)
    (root / "train_images" / "3.jpg").write_bytes(b"")
    write_picture(root / "train_images" / "extra.jpg")
    with pytest.raises(DataProblemsError, match=r"2 problem\(s\)") as caught:
        prepare.main(Prepare(root=root, cache_shape=(20, 30)), artifacts)
    assert "train_images/extra.jpg: extra_picture" in str(caught.value)
    assert "train_images/3.jpg: unreadable_picture: the file is empty" in str(caught.value)
    assert pd.read_csv(artifacts.prepare.problems)["kind"].tolist() == ["extra_picture", "unreadable_picture"]
    assert not (artifacts.prepare.manifest / "manifest.json").exists()
    assert not list(artifacts.prepare.folder.glob(".unfinished*"))


def test_images_with_problems_are_set_aside_and_listed(root, artifacts, capsys):
    (root / "train_images" / "3.jpg").write_bytes(b"")
    (root / "train.csv").write_text((root / "train.csv").read_text().replace("5.jpg_Fish,4", "5.jpg_Fish,-4"))
    prepare.main(Prepare(root=root, cache_shape=(20, 30), problems="set_aside"), artifacts)
    manifest, cache = load(artifacts), Cache.open(artifacts.prepare.cache)
    assert not {"3.jpg", "5.jpg"} & set(manifest.images["image_id"])
    assert len(manifest.images) == len(cache.images) == len(cache.truth) == 11
    assert (cache.images.max(axis=(1, 2, 3)) > 0).all()
    assert set(pd.read_csv(artifacts.prepare.truth)["image_id"]) == {"1.jpg", "7.jpg", "9.jpg", "11.jpg"}
    assert pd.read_csv(artifacts.prepare.problems)["image_id"].tolist() == ["5.jpg", "3.jpg"]
    assert "set aside: 2 images with 2 problems" in capsys.readouterr().out


def test_an_image_moved_to_the_unlabelled_ones_is_unlabelled(root, artifacts):
    moved = min((root / "train_images").iterdir())
    moved.rename(root / "test_images" / moved.name)
    prepare.main(Prepare(root=root, cache_shape=(20, 30), problems="set_aside"), artifacts)
    manifest = load(artifacts)
    (row,) = manifest.images.index[manifest.images["image_id"] == moved.name]
    assert manifest.images.loc[row, "split"] == "unlabelled"
    assert manifest.images.loc[row, "file"] == f"test_images/{moved.name}"
    assert not manifest.presence(np.array([row])).any()


def test_images_that_are_set_aside_are_counted_once(root, artifacts, capsys):
    with (root / "train.csv").open("a") as file:
        file.write("\n".join([*cloud_rows("lost.jpg"), *cloud_rows("gone.jpg")]) + "\n")
    (root / "train_images" / "3.jpg").write_bytes(b"")
    (root / "test_images" / "u.jpg").rename(root / "test_images" / os.fsdecode(b"caf\xe9.jpg"))
    prepare.main(Prepare(root=root, cache_shape=(20, 30), problems="set_aside"), artifacts)
    assert "set aside: 2 images with 4 problems" in capsys.readouterr().out
    assert set(pd.read_csv(artifacts.prepare.problems)["image_id"]) == {
        "lost.jpg",
        "gone.jpg",
        "3.jpg",
        r"caf\udce9.jpg",
    }
    assert len(load(artifacts).images) == 11


def test_a_data_set_without_a_sound_image_is_rejected(artifacts, tmp_path):
    root = write_clouds(tmp_path / "root", cloud_rows("a.jpg"), ["a.jpg"], shape=(30, 30))
    with pytest.raises(DataProblemsError, match="no_pictures: every image in the folder has a problem"):
        prepare.main(Prepare(root=root, problems="set_aside"), artifacts)


@pytest.mark.skipif(not CLOUDS.is_dir(), reason=f"no real clouds at {CLOUDS}; set NEPHOSCOPE_CLOUDS to their folder")
def test_real_clouds(artifacts, tmp_path):
    table = pd.read_csv(CLOUDS / "train.csv.xz", dtype=str, keep_default_na=False, nrows=4 * 60)
    image_ids = table["Image_Label"].str.rpartition("_")[0].unique()
    (tmp_path / "root" / "train_images").mkdir(parents=True)
    for image_id in image_ids:
        (tmp_path / "root" / "train_images" / image_id).symlink_to((CLOUDS / "train_images" / image_id).resolve())
    table.to_csv(tmp_path / "root" / "train.csv.gz", index=False)
    prepare.main(Prepare(root=tmp_path / "root", cache_shape=(64, 96)), artifacts)
    manifest = load(artifacts)
    assert len(manifest.images) == 60
    assert manifest.presence().any(axis=1).all()
    assert 0.8 < manifest.images["visible_share"].mean() < 0.95


def test_both_layouts_of_the_steel_csv_give_the_same_tables(tmp_path):
    tables = []
    for layout in ("joined", "split"):
        params, artifacts = tiny_params(tmp_path / layout, "severstal", layout), Artifacts(tmp_path / layout)
        synthesize.main(params.synthesize, artifacts)
        prepare.main(params.prepare, artifacts)
        tables.append([path.read_bytes() for path in (artifacts.prepare.images, artifacts.prepare.truth)])
    assert tables[0] == tables[1]
