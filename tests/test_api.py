"""The public Python interface."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

import nephoscope as ns
from nephoscope.batch.predict import predict_pictures
from nephoscope.data.images import read_image
from nephoscope.data.synthetic import write_dataset
from nephoscope.masks.rle import decode_rle

LIGHT_START = """
import sys, nephoscope
print(*sorted({"torch", "dvc", "pandas", "sklearn", "matplotlib", "numba", "cv2", "onnxruntime"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("api") / "scenes"
    write_dataset(folder, labelled=3, seed=7)
    return sorted((folder / "train_images").iterdir())


@pytest.fixture(scope="module")
def model() -> ns.Model:
    return ns.load(engine="onnx")


def test_import_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT_START], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there() -> None:
    for name in ns.__all__:
        assert getattr(ns, name) is not None
    assert set(ns.__all__) <= set(dir(ns))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ns.nothing  # type: ignore[attr-defined]


def test_python_and_the_command_line_decide_the_same(model: ns.Model, paths: list[Path], tmp_path: Path) -> None:
    results = model.predict([str(path) for path in paths])
    done = predict_pictures([str(paths[0].parent)], model.folder, str(tmp_path / "out"), engine="onnx", outputs=())
    for result, record in zip(results, done.records(), strict=True):
        assert result.image_id == Path(record.address).name
        assert tuple(result.to_rle().values()) == record.rles
        assert tuple(result.presence) == record.presence


def test_an_array_gives_the_result_of_its_file(model: ns.Model, paths: list[Path]) -> None:
    by_path, by_array = model.predict(paths[0]), model.predict(read_image(paths[0]))
    np.testing.assert_array_equal(by_path.levels, by_array.levels)
    np.testing.assert_array_equal(by_path.masks, by_array.masks)
    assert by_array.image_id == "image 0"


def test_many_images_come_one_by_one(model: ns.Model, paths: list[Path]) -> None:
    stream = model.predict_each((path for path in paths), batch_size=2)
    assert next(stream).image_id == paths[0].name
    assert [result.image_id for result in stream] == [path.name for path in paths[1:]]


def test_a_result_says_what_was_decided(model: ns.Model, paths: list[Path]) -> None:
    result = model.predict(paths[0])
    assert result.classes == model.classes == ("Fish", "Flower", "Gravel", "Sugar")
    assert result.masks.shape == result.levels.shape == (4, 350, 525)
    assert (result.masks.any(axis=(1, 2)) <= result.present).all()
    for name, rle in result.to_rle().items():
        np.testing.assert_array_equal(decode_rle(rle, (350, 525)), result.masks[result.classes.index(name)])
    features = result.to_geojson()["features"]
    shown = [name for name, mask in zip(result.classes, result.masks, strict=True) if mask.any()]
    assert [feature["properties"]["class_name"] for feature in features] == shown
    assert all(name in repr(result) for name in result.classes)


def test_unseen_pixels_have_no_probability(model: ns.Model) -> None:
    image = np.full((400, 600, 3), 120, np.uint8)
    image[:, :200] = 0
    result = model.predict(image)
    assert np.isnan(result.probability[:, ~result.visible]).all()
    assert not result.masks[:, ~result.visible].any()
    np.testing.assert_allclose(result.probability[:, result.visible], result.levels[:, result.visible] / 255, atol=1e-7)


def test_a_plot_shows_the_image_with_its_masks(model: ns.Model, paths: list[Path]) -> None:
    axes = Figure().subplots()
    assert model.predict(paths[0]).plot(axes) is axes
    (shown,) = axes.get_images()
    assert shown.get_array().shape == (350, 525, 3)
    assert axes.get_title() == paths[0].name


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 30, 3), float), r"image 0: expected uint8 \(0 to 255\), found float64; for floats"),
        (np.zeros((20, 30), np.uint8), r"found \(20, 30\); for a grey image pass np.stack"),
        (np.zeros((20, 30, 4), np.uint8), r"expected an array of shape \(height, width, 3\), found \(20, 30, 4\)"),
        (np.zeros((4, 30, 3), np.uint8), "4×30 pixels; a side needs at least 8"),
        ("missing.jpg", "missing.jpg: No such file or directory"),
        (".", r". is a folder; pass sorted\(Path\('.'\).glob"),
    ],
)
def test_what_cannot_be_predicted_is_named_with_the_way_out(model: ns.Model, image: object, message: str) -> None:
    with pytest.raises(ns.UserError, match=message):
        model.predict([image])  # type: ignore[list-item]


def test_an_image_that_is_stretched_is_named_in_a_warning(
    model: ns.Model, paths: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = read_image(paths[0])
    assert cv2.imwrite(str(tmp_path / "square.png"), image[:, : len(image)])
    model.predict([paths[0], image, tmp_path / "square.png", image[:, : len(image)]])
    stretched = "its aspect (width / height) is 1.000; it is stretched to 1.500"
    assert [record.getMessage().split(", and")[0] for record in caplog.records] == [
        f"square.png: {stretched}",
        f"image 3: {stretched}",
    ]


@pytest.mark.parametrize("images", [5, None, b"bytes"])
def test_other_kinds_of_input_are_rejected(model: ns.Model, images: object) -> None:
    with pytest.raises(ns.UserError, match="expected a path, an array or a list of them, found"):
        model.predict(images)  # type: ignore[call-overload]


def test_an_unknown_engine_is_rejected() -> None:
    with pytest.raises(ns.UserError, match="unknown engine 'magic'; choose one of auto, openvino, onnx, torch"):
        ns.load(engine="magic")  # type: ignore[arg-type]


def test_an_unseen_image_is_refused(model: ns.Model) -> None:
    with pytest.raises(ns.UserError, match="image 0: all of it is black"):
        model.predict(np.zeros((40, 60, 3), np.uint8))
