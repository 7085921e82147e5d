"""A model folder: its fingerprint, and the messages if it is incomplete or damaged."""

import shutil
from pathlib import Path

import pytest

from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.folder import fingerprint, read_model
from nephoscope.bundle.load import open_portable
from nephoscope.cli.info import describe_model
from nephoscope.errors import UserError
from nephoscope.files import read_json, write_json
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


@pytest.mark.parametrize(
    "name", ["model.json", "rules.json", "reference_outputs.safetensors", "segmenter-seed0-fold1.onnx"]
)
def test_every_file_of_the_model_changes_the_fingerprint(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert fingerprint(folder) != fingerprint(SHIPPED)


@pytest.mark.parametrize("name", ["rules.json", "classifier-seed0-fold0.safetensors"])
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
        ("segmenter-seed0-fold0.safetensors", "torch"),
        ("segmenter-seed0-fold0.onnx", "onnx"),
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
