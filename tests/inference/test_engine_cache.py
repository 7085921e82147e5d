from pathlib import Path

import numpy as np
import pytest

from nephoscope.inference import engine_cache
from nephoscope.inference.engine_cache import choose_engines
from nephoscope.settings.section import Machine

STEMS = [Path("model/one"), Path("model/two")]
EXPECTED = {stem.name: np.zeros(1, np.float32) for stem in STEMS}


class FakeTrials(list[str]):
    """Chooses ONNX Runtime for every network, and records which networks were tested."""

    def __call__(self, stem: Path, *_: object) -> str:
        self.append(stem.name)
        return "onnx"


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> FakeTrials:
    trials = FakeTrials()
    monkeypatch.setattr(engine_cache, "find_fastest", trials)
    return trials


def choose(cache: Path, fingerprint: str = "model", machine: Machine = Machine()) -> dict[str, str]:  # noqa: B008 - frozen
    return dict(choose_engines(cache, fingerprint, STEMS, machine, EXPECTED))


def test_engines_are_tried_once(trials: FakeTrials, tmp_path: Path) -> None:
    assert choose(tmp_path) == choose(tmp_path) == {"one": "onnx", "two": "onnx"}
    assert trials == ["one", "two"]


def test_networks_of_a_joint_graph_have_one_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    received: list[object] = []
    monkeypatch.setattr(engine_cache, "find_fastest_joint", lambda *given: received.append(given) or "openvino")
    expected = {"two": np.ones(1, np.float32), "one": np.zeros(1, np.float32)}
    joint = Path("model/joint")
    for _ in range(2):
        engines = choose_engines(tmp_path, "model", STEMS, Machine(), expected, joint)
        assert engines == {"one": "openvino", "two": "openvino"}
    assert received == [(joint, STEMS, Machine(), [expected["one"], expected["two"]])]


def test_another_model_or_machine_has_its_own_entry(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(tmp_path)
    choose(tmp_path, fingerprint="other")
    assert len(trials) == 4
    choose(tmp_path, machine=Machine(precision="bf16"))
    assert len(trials) == 6
    monkeypatch.setattr(engine_cache, "count_cores", lambda: 999)
    choose(tmp_path)
    assert len(trials) == 8
    monkeypatch.setattr(engine_cache, "version", lambda _: "newer")
    choose(tmp_path)
    assert len(trials) == 10


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"one": "onnx"}', '{"one": "onnx", "two": "magic"}'])
def test_an_invalid_entry_of_the_cache_is_replaced(trials: FakeTrials, tmp_path: Path, content: str) -> None:
    choose(tmp_path)
    (entry,) = tmp_path.iterdir()
    valid = entry.read_text()
    entry.write_text(content)
    assert choose(tmp_path) == {"one": "onnx", "two": "onnx"}
    assert len(trials) == 4
    assert entry.read_text() == valid


def test_without_a_writable_cache_engines_are_tried_every_time(trials: FakeTrials, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert choose(tmp_path / "file") == choose(tmp_path / "file") == {"one": "onnx", "two": "onnx"}
    assert len(trials) == 4
