"""The shipped model on scenes, with ONNX Runtime."""

import numpy as np
import pytest

import nephoscope as ns
from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.load import open_portable
from nephoscope.data.images import read_image
from nephoscope.data.synthetic import write_dataset
from nephoscope.inference.scenes import predict_scene
from nephoscope.masks.geometry import Image
from tests.builders.scenes import ArrayScene


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Image]:
    folder = tmp_path_factory.mktemp("scenes") / "scenes"
    write_dataset(folder, labelled=2, seed=7)
    return [read_image(path) for path in sorted((folder / "train_images").iterdir())[:2]]


def test_a_window_gives_what_the_same_array_gives(images: list[Image]) -> None:
    ensemble, rules = open_portable(SHIPPED, "onnx")
    plain = ns.load(engine="onnx").predict(images[0])
    result = predict_scene(ensemble, rules, ArrayScene(images[0], (-61, 10, -40, 24)))
    for name in ("masks", "levels", "visible", "presence", "present", "confidence"):
        assert np.array_equal(getattr(result, name), getattr(plain, name)), name
    assert result.place is not None
    assert result.place.grid.longitude[:2].tolist() == [-60.98, -60.94]
    assert result.place.grid.latitude[:2].tolist() == [23.98, 23.94]


def test_two_pictures_side_by_side_are_one_scene(images: list[Image]) -> None:
    ensemble, rules = open_portable(SHIPPED, "onnx")
    both = ArrayScene(np.concatenate(images, axis=1), (-61, 10, -19, 24))
    stitched = predict_scene(ensemble, rules, both, overlap=0)
    for index, plain in enumerate(ns.load(engine="onnx").predict(images)):
        cells = slice(525 * index, 525 * (index + 1))
        assert np.abs(stitched.levels[..., cells].astype(int) - plain.levels).max() <= 1
        assert np.abs(np.asarray(stitched.presence_map)[:, 0, cells.start] - plain.presence).max() < 1e-4
    overlapping = predict_scene(ensemble, rules, both)
    assert overlapping.masks.shape == (4, 350, 1050)
    inner = slice(150, 370)
    assert np.abs(overlapping.levels[..., inner].astype(int) - stitched.levels[..., inner]).mean() < 12
