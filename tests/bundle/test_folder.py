"""A model folder: its fingerprint, and the messages if it is incomplete or damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.folder import CHECKSUMS, classifier_checkpoints, fingerprint, hash_file, read_model
from nephoscope.bundle.load import open_portable
from nephoscope.cli.info import describe_model
from nephoscope.errors import UserError
from nephoscope.files import read_json, write_json
from nephoscope.rules.rules import read_rules
from nephoscope.settings.choices import Choice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model, which a test may change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "model"))


def test_other_files_do_not_change_the_fingerprint(folder: Path) -> None:
    (folder / ".git").mkdir()
    for name in (".DS_Store", "notes.txt", "segmenter-seed9.safetensors"):
        (folder / name).write_text("something else")
    assert fingerprint(folder) == fingerprint(SHIPPED)


@pytest.mark.parametrize("name", ["model.json", "rules.json", "reference_outputs.safetensors", "segmenter-seed0.onnx"])
def test_every_file_of_the_model_changes_the_fingerprint(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert fingerprint(folder) != fingerprint(SHIPPED)


@pytest.mark.parametrize("name", ["rules.json", "classifier-seed0.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert describe_model(folder) == {"problem": f"{folder}: {name} is missing; export it again, or copy all of it"}
    with pytest.raises(UserError, match=f"{name} is missing"):
        open_portable(folder, "torch")


def test_automatic_choice_of_an_engine_needs_the_reference_outputs(folder: Path) -> None:
    (folder / "reference_outputs.safetensors").unlink()
    with pytest.raises(UserError, match=r"reference_outputs\.safetensors is missing; .*, or choose an --engine"):
        open_portable(folder)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("reference_outputs.safetensors", "auto"),
        ("rules.json", "onnx"),
        ("model.json", "onnx"),
        ("segmenter-seed0.safetensors", "torch"),
        ("segmenter-seed0.onnx", "onnx"),
    ],
)
def test_a_truncated_file_is_named(folder: Path, name: str, engine: Choice) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=name):
        open_portable(folder, engine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "cirrus"}, r"model\.json does not describe a model"),
        ({"classes": ["Fish", "Flower", "Gravel"]}, r"model\.json and rules\.json have different classes"),
    ],
)
def test_a_contradictory_description_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    content = read_json(folder / "model.json")
    write_json(folder / "model.json", {**content, "data": {**content["data"], **change}})
    with pytest.raises(UserError, match=message):
        open_portable(folder, "torch")


@pytest.mark.parametrize("content", ["{}", "", "[]", '{"data": {}, "classifiers": [], "segmenters": []}'])
def test_an_incomplete_description_is_refused(folder: Path, content: str) -> None:
    (folder / "model.json").write_text(content)
    with pytest.raises(UserError, match=r"model\.json does not describe a model; export it again, or copy all of it"):
        read_model(folder)


@pytest.mark.parametrize("name", ["model.json", "rules.json"])
def test_a_model_of_an_earlier_version_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_text("utf-8")
    (folder / name).write_text(content.replace("output_shape", "judged_shape"), "utf-8")
    message = (
        rf"{name} was written by an earlier version of nephoscope .judged_shape is now output_shape.; export it again"
    )
    with pytest.raises(UserError, match=message):
        read_model(folder)


@pytest.mark.parametrize(
    ("name", "engine"),
    [("segmenter-seed0.safetensors", "onnx"), ("classifier-seed0.safetensors", "torch"),
     ("segmenter-seed0.onnx", "openvino"), ("reference_outputs.safetensors", "auto")],
)  # fmt: skip
def test_one_flipped_bit_is_noticed(folder: Path, name: str, engine: Choice) -> None:
    flip_bit(folder / name)
    with pytest.raises(UserError, match=rf"{name} is damaged or was changed: .*; export it again, or copy all of it"):
        open_portable(folder, engine)


@pytest.mark.parametrize("outputs", [{}, {"segmenter-seed0": np.zeros(0, np.float32)}], ids=["none", "empty"])
def test_reference_outputs_without_values_are_refused(folder: Path, outputs: dict[str, np.ndarray]) -> None:
    path = folder / "reference_outputs.safetensors"
    save_file(outputs, path)
    content = read_json(folder / "model.json")
    content[CHECKSUMS][path.name] = hash_file(path)
    write_json(folder / "model.json", content)
    message = r"reference_outputs\.safetensors has no outputs of .*segmenter-seed0.*, or choose an --engine"
    with pytest.raises(UserError, match=message):
        open_portable(folder)


def flip_bit(path: Path) -> None:
    """In the middle of a file, where it changes a weight and nothing else."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_classifier_draws_no_heat_maps(folder: Path) -> None:
    flip_bit(folder / "classifier-seed0.safetensors")
    with pytest.raises(UserError, match=r"classifier-seed0\.safetensors is damaged or was changed"):
        classifier_checkpoints(folder)


def test_rules_may_be_replaced(folder: Path) -> None:
    rules = read_rules(SHIPPED / "rules.json").model_copy(update={"classifier_weight": 0.25})
    write_json(folder / "rules.json", rules.model_dump())
    assert open_portable(folder, "onnx")[1] == rules


@pytest.mark.parametrize("missing", ["sha256", "segmenter-seed0.onnx"])
def test_a_folder_without_a_checksum_is_refused(folder: Path, missing: str) -> None:
    content = read_json(folder / "model.json")
    content.pop(missing, None)
    content.get("sha256", {}).pop(missing, None)
    write_json(folder / "model.json", content)
    with pytest.raises(UserError, match=r"model\.json holds no checksum.*; export it again"):
        open_portable(folder, "torch")


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("cache_shape", [0, 288], r"cache_shape is \(0, 288\); expected a height and a width from 1 to 100000"),
        ("cache_shape", [192, 10**9], "cache_shape is .*; expected a height and a width"),
        ("cache_shape", [192.0, 288], "cache_shape is .*; expected a height and a width"),
        ("output_shape", [350], r"output_shape is \(350,\); expected a height and a width"),
        ("output_shape", 350, "output_shape is 350; expected a height and a width"),
        ("output_shape", [175, 262], r"output_shape is \(175, 262\), but clouds has \(350, 525\)"),
        ("cache_shape", [64, 96], "model.json and classifier-seed0.safetensors describe different data"),
    ],
)
def test_a_wrong_shape_is_refused(folder: Path, name: str, shape: object, message: str) -> None:
    content = read_json(folder / "model.json")
    write_json(folder / "model.json", {**content, "data": {**content["data"], name: shape}})
    with pytest.raises(UserError, match=message):
        open_portable(folder, "onnx")


def test_rules_for_another_shape_are_refused(folder: Path) -> None:
    rules = read_json(folder / "rules.json")
    write_json(folder / "rules.json", {**rules, "output_shape": [175, 262]})
    with pytest.raises(UserError, match=r"model\.json and rules\.json have different output shapes"):
        open_portable(folder, "onnx")


@pytest.mark.parametrize("names", [[], ["../classifier-seed0"], ["more/net"], [""], "classifier-seed0", [7]])
def test_networks_have_plain_names(folder: Path, names: object) -> None:
    write_json(folder / "model.json", {**read_json(folder / "model.json"), "classifiers": names})
    with pytest.raises(UserError, match=r"model\.json does not describe a model"):
        open_portable(folder, "torch")


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_a_folder_of_links_predicts_the_same(tmp_path: Path, engine: Choice) -> None:
    """With `cache.type symlink`, DVC names the files in its cache by their content."""
    cache, folder = tmp_path / "cache", tmp_path / "model"
    cache.mkdir()
    folder.mkdir()
    for number, path in enumerate(sorted(SHIPPED.iterdir())):
        (folder / path.name).symlink_to(shutil.copy(path, cache / f"{number:032x}"))
    images = np.random.default_rng(0).integers(0, 256, (1, 192, 288, 3), np.uint8)
    visible = np.ones((1, 192, 288), bool)
    (linked,), (plain,) = (open_portable(path, engine)[0].predict(images, visible) for path in (folder, SHIPPED))
    np.testing.assert_array_equal(linked.levels, plain.levels)
    np.testing.assert_array_equal(linked.classifier, plain.classifier)
