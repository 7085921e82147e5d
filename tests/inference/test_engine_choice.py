from pathlib import Path

import numpy as np
import pytest

from nephoscope.errors import UserError
from nephoscope.inference import engine_choice
from nephoscope.inference import engines as engines_module
from nephoscope.inference.engine_choice import (
    ENGINES,
    EVERY,
    JOINT_ENGINES,
    draw_probe,
    find_fastest,
    find_fastest_joint,
    run_probe,
)
from nephoscope.inference.engines import EngineMissingError, EngineName
from nephoscope.settings.section import Machine

SHAPE = (16, 24)


class Constant:
    """An engine that returns one number, and counts its calls."""

    input_shape = SHAPE

    def __init__(self, value: float) -> None:
        self.value, self.calls = value, 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.full((len(images), 2, *SHAPE), self.value, np.float32)


def engines(monkeypatch: pytest.MonkeyPatch, values: dict[str, float], seconds: dict[str, float]) -> None:
    def missing(*_: object) -> Constant:
        raise EngineMissingError("not installed")

    for name in ENGINES:
        value = values.get(name)
        opened = missing if value is None else lambda *_, value=value: Constant(value)
        monkeypatch.setitem(ENGINES, name, opened)
    by_value = {values[name]: duration for name, duration in seconds.items()}
    monkeypatch.setattr(engine_choice, "_time", lambda engine: by_value[engine.engines[0].value])


def choose(expected: float = 0.5, machine: Machine = Machine()) -> str:  # noqa: B008 - frozen
    return find_fastest(Path("network"), machine, run_probe(Constant(expected)))


def test_the_fastest_matching_engine_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    engines(monkeypatch, {"openvino": 0.501, "onnx": 0.5, "torch": 0.5001}, {"openvino": 1, "onnx": 3, "torch": 5})
    assert choose() == "openvino"


def test_bf16_may_differ_more(monkeypatch: pytest.MonkeyPatch) -> None:
    engines(monkeypatch, {"openvino": 0.52, "torch": 0.5001}, {"openvino": 1, "torch": 5})
    assert choose() == "torch"
    assert choose(machine=Machine(precision="bf16")) == "openvino"


def test_an_engine_that_does_not_match_is_logged_and_skipped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engines(monkeypatch, {"openvino": 0.6, "onnx": 0.5, "torch": 0.5001}, {"openvino": 1, "onnx": 3, "torch": 5})
    assert choose() == "onnx"
    assert "network: an engine is skipped, which differs from PyTorch: openvino by 0.1000 in the mean" in caplog.text


def test_an_engine_that_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    engines(monkeypatch, {"torch": 0.5}, {"torch": 5})
    assert choose() == "torch"


def test_a_failing_engine_is_logged_and_skipped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaking(*_: object) -> Constant:
        raise RuntimeError("no such instruction")

    engines(monkeypatch, {"onnx": 0.5, "torch": 0.5001}, {"onnx": 3, "torch": 5})
    monkeypatch.setitem(ENGINES, "openvino", breaking)
    assert choose() == "onnx"
    assert "network: the engine openvino fails and is skipped: no such instruction" in caplog.text


def test_if_pytorch_fails_the_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(*_: object) -> Constant:
        raise RuntimeError("out of memory")

    engines(monkeypatch, {}, {})
    monkeypatch.setitem(ENGINES, "torch", breaking)
    with pytest.raises(RuntimeError, match="out of memory"):
        choose()


@pytest.mark.parametrize(("module", "name"), [("onnxruntime", "onnx"), ("openvino", "openvino")])
def test_an_engine_that_cannot_be_loaded_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, name: EngineName
) -> None:
    def broken(_: str) -> object:
        raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setattr(engines_module.importlib, "import_module", broken)
    with pytest.raises(UserError, match=f"the engine {module} cannot be loaded: libtbb.* choose another engine"):
        ENGINES[name](tmp_path / "network", Machine(), 1)


def test_pytorch_competes_only_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    engines(monkeypatch, {"onnx": 0.5, "torch": 0.5001}, {"onnx": 3, "torch": 1})
    monkeypatch.setattr(engine_choice, "list_gpus", lambda: [])
    assert choose() == "onnx"
    monkeypatch.setattr(engine_choice, "list_gpus", lambda: ["nvidia0"])
    assert choose() == "torch"
    assert choose(machine=Machine(accelerator="cpu")) == "onnx"


def test_if_no_engine_matches_the_error_lists_the_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    engines(monkeypatch, {"torch": 0.5, "onnx": 0.9}, {"torch": 5, "onnx": 1})
    with pytest.raises(UserError, match=r"onnx by 0.8000 in the mean.*torch by 0.4000 in .*; export the model again"):
        choose(expected=0.1)


def test_the_probe_is_always_the_same_and_its_maps_are_thinned() -> None:
    assert draw_probe(SHAPE).shape == (2, 16, 24, 3)
    np.testing.assert_array_equal(draw_probe(SHAPE), draw_probe(SHAPE))
    assert run_probe(Constant(0.5)).shape == (2, 2, 16 // EVERY, 24 // EVERY)


class ConstantJoint:
    """A joint engine of two networks that return one number each."""

    input_shape = SHAPE

    def __init__(self, *values: float) -> None:
        self.values = values

    def run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(Constant(value)(images) for value in self.values)


@pytest.mark.parametrize("wrong", [(0.6, 0.5), (0.5, 0.6), (0.5,), (0.5, np.nan)])
def test_a_joint_graph_needs_an_engine_that_matches_both_networks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wrong: tuple[float, ...]
) -> None:
    opened = {"openvino": wrong, "onnx": (0.5, 0.501), "torch": (0.5, 0.5)}
    for name, values in opened.items():
        monkeypatch.setitem(JOINT_ENGINES, name, lambda *_, values=values: ConstantJoint(*values))
    monkeypatch.setattr(engine_choice, "_time", lambda engine: {wrong: 1, (0.5, 0.501): 2}.get(engine.values, 3))
    expected = [run_probe(Constant(0.5))] * 2
    assert find_fastest_joint(Path("joint"), [Path("one"), Path("two")], Machine(), expected) == "onnx"
    assert "joint: " in caplog.text
    assert "openvino" in caplog.text
