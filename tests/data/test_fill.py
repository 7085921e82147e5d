"""The cache after filling it, and the records of its images."""

import numpy as np
import pytest

from nephoscope.data.cache import Cache, fill_cache
from nephoscope.data.formats import FORMATS
from nephoscope.data.images import read_resized
from nephoscope.data.source import read_source
from nephoscope.masks.geometry import from_planes
from nephoscope.masks.rle import decode_rle, encode_rle
from tests.builders.datasets import cloud_rows, write_clouds, write_picture

LEFT_HALF = f"1 {1400 * 1050}"
SHAPE = (8, 12)


@pytest.fixture
def filled(tmp_path):
    root = write_clouds(
        tmp_path / "root",
        [*cloud_rows("a.png", Fish=LEFT_HALF, Sugar=LEFT_HALF), *cloud_rows("b.png")],
        ["a.png", "b.png"],
    )
    write_picture(root / "test_images" / "u.png", (56, 84))
    problems = []
    source = read_source(root, FORMATS["clouds"], problems)
    records = fill_cache(tmp_path / "cache", source, SHAPE, problems)
    assert problems == []
    return root, source, records, Cache.open(tmp_path / "cache")


def test_labelled_images_come_first_and_both_parts_are_sorted_by_name(filled):
    _, source, records, _ = filled
    assert source.images["file"].tolist() == ["train_images/a.png", "train_images/b.png", "test_images/u.png"]
    assert source.images["labelled"].tolist() == [True, True, False]
    assert [record.image_id for record in records] == ["a.png", "b.png", "u.png"]


def test_the_cache_has_the_images_of_prediction(filled):
    root, source, _, cache = filled
    for row, file in enumerate(source.images["file"]):
        np.testing.assert_array_equal(cache.images[row], read_resized(root / file, SHAPE))
    assert cache.visible.all()


def test_masks_are_resized_to_the_cache_shape_and_the_output_shape(filled):
    _, _, records, cache = filled
    masks = from_planes(cache.truth, 4)
    half = np.arange(SHAPE[1]) < SHAPE[1] // 2
    assert (masks[0, [0, 3]] == half).all()
    assert not masks[0, [1, 2]].any()
    assert not masks[1:].any()
    assert set(records[0].rles) == {"Fish", "Sugar"}
    labelled = decode_rle(records[0].rles["Fish"], (350, 525))
    assert labelled.mean() == records[0].areas["Fish"] == pytest.approx(0.5, abs=0.001)
    assert records[1].rles == records[1].areas == {}


def test_a_mask_too_small_for_the_output_shape_is_empty(tmp_path):
    root = write_clouds(tmp_path, cloud_rows("a.png", Fish="5 1"), ["a.png"])
    records = fill_cache(tmp_path / "cache", read_source(root, FORMATS["clouds"], []), SHAPE, [])
    assert records[0].areas == records[0].rles == {}


def test_steel_has_no_invisible_region_and_keeps_its_masks(tmp_path):
    write_picture(tmp_path / "train_images" / "a.jpg", (32, 200))
    mask = np.zeros((256, 1600), bool)
    mask[10:90, 100:900] = True
    (tmp_path / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels\na.jpg,3,{encode_rle(mask)}\n")
    steel = FORMATS["severstal"]
    records = fill_cache(tmp_path / "cache", read_source(tmp_path, steel, []), (16, 100), [])
    assert records[0].rles == {"3": encode_rle(mask)}
    assert records[0].visible_share == 1


def test_keeping_rows_shortens_every_array(filled, tmp_path):
    _, _, _, cache = filled
    expected = cache.images[[0, 2]].copy()
    Cache.keep(tmp_path / "cache", np.array([0, 2]))
    shorter = Cache.open(tmp_path / "cache")
    np.testing.assert_array_equal(shorter.images, expected)
    assert len(shorter.truth) == len(shorter.visible) == 2
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["images.npy", "truth.npy", "visible.npy"]
