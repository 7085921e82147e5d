"""The joint graph: written for networks with the same encoder only, and used in place of the graphs of both."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx.external_data_helper import ExternalDataInfo
from torch import nn

from nephoscope.bundle.export import compare
from nephoscope.bundle.folder import CHECKSUMS, fingerprint, hash_file
from nephoscope.bundle.joint_graph import write_joint
from nephoscope.bundle.load import open_portable
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.files import read_json, write_json
from nephoscope.inference.engine_choice import draw_probe
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.joint import find_joint
from nephoscope.models.checkpoint import load_checkpoint, save_checkpoint
from nephoscope.settings.choices import Choice
from tests.builders.student import SHAPE, export_student

pytestmark = pytest.mark.xdist_group("joint graph")
NETWORKS = ("classifier-seed0", "segmenter-seed0")
GRAPHS = pytest.mark.parametrize("engine", ["onnx", "openvino"])


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder. Read only."""
    return export_student(tmp_path_factory.mktemp("student"))


@pytest.fixture
def folder(student: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(student, tmp_path / "model"))


def checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in NETWORKS]


def describe(folder: Path, **changes: object) -> None:
    """Change model.json, and sign the joint graph that is there."""
    content = {**read_json(folder / "model.json"), **changes}
    content[CHECKSUMS]["joint.onnx"] = hash_file(folder / "joint.onnx")
    write_json(folder / "model.json", content)


def separate(folder: Path) -> Path:
    """The same model without its joint graph."""
    content = read_json(folder / "model.json")
    del content["joint"], content[CHECKSUMS]["joint.onnx"]
    write_json(folder / "model.json", content)
    (folder / "joint.onnx").unlink()
    return folder


def predict(model: Ensemble) -> list[Prediction]:
    images = np.concatenate([draw_probe(SHAPE)] * 2)[:3]
    return model.predict(images, np.ones(images.shape[:3], bool))


def load_graph(path: Path) -> onnx.GraphProto:
    return onnx.load(path, load_external_data=False).graph


def test_convolutions_of_the_encoder_are_in_the_joint_graph_once(student: Path) -> None:
    joint, *alone = (
        sum(node.op_type == "Conv" for node in load_graph(student / f"{name}.onnx").node)
        for name in ("joint", *NETWORKS)
    )
    segmenter: Any = load_checkpoint(checkpoints(student)[1])[0]
    assert joint == sum(alone) - sum(isinstance(module, nn.Conv2d) for module in segmenter.encoder.modules())


def test_every_weight_is_a_reference_to_one_of_the_checkpoints(student: Path) -> None:
    graph = load_graph(student / "joint.onnx")
    places = [ExternalDataInfo(weight) for weight in graph.initializer if weight.external_data]
    assert {place.location for place in places} == {path.name for path in checkpoints(student)}
    assert max(Counter((place.location, place.offset) for place in places).values()) == 1
    copied = sum(len(weight.raw_data) for weight in graph.initializer if not weight.external_data)
    assert copied < 1000
    assert [value.name for value in (*graph.input, *graph.output)] == ["images", "presence", "maps"]


@pytest.mark.parametrize(
    "name", ["body.encoder.model.blocks.3.1.conv_dw.weight", "body.encoder.model.blocks.6.0.bn3.bias", "mean"]
)
def test_networks_that_differ_before_the_end_of_the_encoder_have_no_joint_graph(folder: Path, name: str) -> None:
    """In a weight, in the last one, and in the mean, with which the same encoder reads other images."""
    (folder / "joint.onnx").unlink()
    path = checkpoints(folder)[1]
    network, header = load_checkpoint(path)
    network.state_dict()[name].flatten()[0] += 1
    save_checkpoint(path, network, header, half=True)
    assert not write_joint(folder / "joint.onnx", checkpoints(folder))
    assert not (folder / "joint.onnx").exists()


def test_networks_of_different_shapes_have_no_joint_graph(folder: Path) -> None:
    path = checkpoints(folder)[1]
    network, header = load_checkpoint(path)
    save_checkpoint(path, network, replace(header, input_shape=(96, 96)), half=True)
    assert not write_joint(folder / "other.onnx", checkpoints(folder))


def test_more_than_one_network_of_a_kind_has_no_joint_graph(folder: Path) -> None:
    classifier, segmenter = checkpoints(folder)
    assert not write_joint(folder / "other.onnx", [classifier, segmenter, segmenter])


@contextmanager
def recorded_graphs(patch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of the graphs that an engine reads."""
    names: set[str] = set()
    read_model, session = openvino.Core.read_model, onnxruntime.InferenceSession

    def read(core: Any, path: Path, *rest: Any) -> Any:
        names.add(path.name)
        return read_model(core, path, *rest)

    def open_session(path: Path, *rest: Any, **more: Any) -> Any:
        names.add(path.name)
        return session(path, *rest, **more)

    with patch.context() as context:
        context.setattr(openvino.Core, "read_model", read)
        context.setattr(onnxruntime, "InferenceSession", open_session)
        yield names


@pytest.mark.parametrize("engine", ["onnx", "openvino", "auto"])
def test_only_the_joint_graph_is_read(
    student: Path, engine: Choice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPHOSCOPE_CACHE", str(tmp_path))
    with recorded_graphs(monkeypatch) as names:
        model, _ = open_portable(student, engine)
        predict(model)
    assert names == {"joint.onnx"}
    assert tuple(model.engines) == NETWORKS
    assert len(set(model.engines.values())) == 1


def test_pytorch_computes_each_network_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "joint.onnx").unlink()
    with recorded_graphs(monkeypatch) as names:
        model, _ = open_portable(folder, "torch")
        predict(model)
    assert not names
    assert find_joint(model.classifiers, model.segmenters) is None


@GRAPHS
def test_predictions_equal_those_of_separate_graphs(student: Path, folder: Path, engine: Choice) -> None:
    joint, alone = (open_portable(path, engine)[0] for path in (student, separate(folder)))
    for prediction, expected in zip(predict(joint), predict(alone), strict=True):
        np.testing.assert_allclose(prediction.classifier, expected.classifier, atol=1e-5)
        difference = np.abs(prediction.levels.astype(int) - expected.levels)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.001
        assert expected.levels.std() > 5
        assert expected.classifier.std() > 0.01


@GRAPHS
def test_each_network_of_a_joint_graph_can_be_compared_with_pytorch(student: Path, engine: Choice) -> None:
    joint, exact = (open_portable(student, name)[0] for name in (engine, "torch"))
    agreement = compare(joint, exact, draw_probe(SHAPE))
    assert max(agreement.presence, agreement.pixels) < 1e-3


@GRAPHS
def test_a_joint_graph_of_links_predicts_the_same(student: Path, tmp_path: Path, engine: Choice) -> None:
    cache, folder = tmp_path / "cache", tmp_path / "model"
    cache.mkdir()
    folder.mkdir()
    for number, path in enumerate(sorted(student.iterdir())):
        (folder / path.name).symlink_to(shutil.copy(path, cache / f"{number:032x}"))
    linked, plain = (predict(open_portable(path, engine)[0]) for path in (folder, student))
    np.testing.assert_array_equal(linked[0].levels, plain[0].levels)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_damaged_joint_graph_is_refused(folder: Path, engine: Choice) -> None:
    content = bytearray((folder / "joint.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "joint.onnx").write_bytes(content)
    with pytest.raises(UserError, match=r"joint\.onnx is damaged or was changed"):
        open_portable(folder, engine)


@pytest.mark.parametrize("engine", ["onnx", "openvino", "auto"])
def test_a_missing_joint_graph_is_refused(folder: Path, engine: Choice) -> None:
    (folder / "joint.onnx").unlink()
    with pytest.raises(UserError, match="no ONNX file of joint; export it again, or use --engine torch"):
        open_portable(folder, engine)


def test_a_joint_graph_without_a_checksum_is_refused(folder: Path) -> None:
    content = read_json(folder / "model.json")
    del content[CHECKSUMS]["joint.onnx"]
    write_json(folder / "model.json", content)
    with pytest.raises(UserError, match=r"model\.json holds no checksum of joint\.onnx"):
        open_portable(folder, "onnx")


@pytest.mark.parametrize(
    "changes",
    [{"joint": "../joint"}, {"joint": None}, {"joint": NETWORKS[0]}, {"classifiers": [NETWORKS[0], NETWORKS[0]]}],
    ids=["a path", "null", "a network", "two classifiers"],
)
def test_a_joint_graph_has_a_name_of_its_own_and_two_networks(folder: Path, changes: dict[str, object]) -> None:
    describe(folder, **changes)
    with pytest.raises(UserError, match=r"model\.json does not describe a model"):
        open_portable(folder, "onnx")


def test_another_graph_in_its_place_is_refused(folder: Path) -> None:
    shutil.copy(folder / f"{NETWORKS[0]}.onnx", folder / "joint.onnx")
    describe(folder)
    model, _ = open_portable(folder, "onnx")
    with pytest.raises(UserError, match="classifier 1 of 1 and segmenter 1 of 1 return 1 outputs together"):
        predict(model)


def test_the_joint_graph_changes_the_fingerprint(student: Path, folder: Path) -> None:
    with (folder / "joint.onnx").open("ab") as file:
        file.write(b" ")
    assert fingerprint(folder) != fingerprint(student)
