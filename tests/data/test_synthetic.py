"""The synthetic data set on disk: deterministic, complete, in the layout of the competitions."""

import cv2
import numpy as np
import pandas as pd
import pytest

from nephoscope.data.formats import FORMATS
from nephoscope.data.synthetic import dataset, write_dataset
from nephoscope.data.synthetic.dataset import image_id_of
from nephoscope.masks.rle import decode_rle

SHAPE = (70, 105)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_labels(folder):
    return pd.read_csv(folder / "train.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clouds") / "dataset"
    write_dataset(folder, labelled=8, unlabelled=2, shape=SHAPE)
    return folder


def test_clouds_have_the_layout_of_the_competition(clouds):
    labels = read_labels(clouds)
    names = sorted(path.name for path in (clouds / "train_images").iterdir())
    assert list(labels.columns) == ["Image_Label", "EncodedPixels"]
    assert list(labels.Image_Label) == [f"{name}_{label}" for name in names for label in FORMATS["clouds"].classes]
    assert len(names) == 8
    assert len(list((clouds / "test_images").iterdir())) == 2


def test_images_have_the_given_shape(clouds):
    for path in clouds.rglob("*.jpg"):
        assert cv2.imread(str(path)).shape == (*SHAPE, 3)


def test_every_rle_fits_its_shape_and_every_image_has_a_label(clouds):
    labels = read_labels(clouds)
    areas = labels.EncodedPixels.map(lambda rle: decode_rle(rle, (1400, 2100)).sum())
    assert (areas.groupby(labels.Image_Label.str.split("_").str[0]).sum() > 0).all()


def test_the_same_seed_gives_the_same_bytes(clouds, tmp_path):
    write_dataset(tmp_path / "again", labelled=8, unlabelled=2, shape=SHAPE)
    assert contents(tmp_path / "again") == contents(clouds)


def test_another_seed_gives_other_images(clouds, tmp_path):
    write_dataset(tmp_path / "other", labelled=1, shape=SHAPE, seed=1)
    assert not set(contents(tmp_path / "other").values()) & set(contents(clouds).values())


def test_a_scene_does_not_depend_on_the_number_of_scenes(clouds, tmp_path):
    write_dataset(tmp_path / "fewer", labelled=3, unlabelled=1, shape=SHAPE)
    fewer, many = contents(tmp_path / "fewer"), contents(clouds)
    images = {name for name in fewer if name.endswith(".jpg")}
    assert {name: fewer[name] for name in images} == {name: many[name] for name in images}
    assert set(read_labels(tmp_path / "fewer").itertuples(index=False)) <= set(
        read_labels(clouds).itertuples(index=False)
    )


def test_steel_is_written_in_both_layouts(tmp_path):
    for csv_layout in ("joined", "split"):
        write_dataset(
            tmp_path / csv_layout, format_name="severstal", csv_layout=csv_layout, labelled=10, shape=(64, 400)
        )
    joined, split = read_labels(tmp_path / "joined"), read_labels(tmp_path / "split")
    assert list(joined.columns) == ["ImageId_ClassId", "EncodedPixels"]
    assert list(split.columns) == ["ImageId", "ClassId", "EncodedPixels"]
    assert len(joined) == 40
    assert 0 < len(split) < 10 * 4
    filled = joined[joined.EncodedPixels != ""]
    assert list(filled.ImageId_ClassId) == list(split.ImageId + "_" + split.ClassId)
    for rle in filled.EncodedPixels:
        assert decode_rle(rle, (256, 1600)).any()


def test_clouds_have_no_split_layout(tmp_path):
    with pytest.raises(ValueError, match="clouds; it has joined"):
        write_dataset(tmp_path / "dataset", csv_layout="split", labelled=1)


def test_a_failed_run_leaves_no_partial_data_set(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("drawing failed")

    monkeypatch.setitem(dataset.SCENES, "clouds", fail)
    with pytest.raises(RuntimeError, match="drawing failed"):
        write_dataset(tmp_path / "dataset", labelled=2, shape=SHAPE)
    assert list(tmp_path.iterdir()) == []


def test_image_ids_are_seven_hexadecimal_digits_without_repeats():
    ids = [image_id_of(3, number) for number in range(20_000)]
    assert len(set(ids)) == len(ids)
    assert all(len(image_id) == 11 and int(image_id[:7], 16) >= 0 for image_id in ids)
    assert np.mean([image_id < "8" for image_id in ids]) == pytest.approx(0.5, abs=0.02)
