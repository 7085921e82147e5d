from pathlib import Path

import numpy as np
import pytest

from nephoscope.inference import engine_cache as remembered
from nephoscope.inference.engine_cache import choose_engines
from nephoscope.settings.section import Machine

STEMS = [Path("model/one"), Path("model/two")]
ANSWERS = {stem.name: np.zeros(1, np.float32) for stem in STEMS}


class Tried(list[str]):
    """Chooses ONNX Runtime for every network, and notes which were tried."""

    def __call__(self, stem: Path, *_: object) -> str:
        self.append(stem.name)
        return "onnx"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Tried:
    tried = Tried()
    monkeypatch.setattr(remembered, "find_fastest", tried)
    return tried


def choose(kept: Path, mark: str = "model", machine: Machine = Machine()) -> dict[str, str]:  # noqa: B008 - frozen
    return dict(choose_engines(kept, mark, STEMS, machine, ANSWERS))


def test_engines_are_tried_once(tried: Tried, tmp_path: Path) -> None:
    assert choose(tmp_path) == choose(tmp_path) == {"one": "onnx", "two": "onnx"}
    assert tried == ["one", "two"]


def test_another_model_or_machine_is_tried_for_itself(
    tried: Tried, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(tmp_path)
    choose(tmp_path, mark="other")
    assert len(tried) == 4
    choose(tmp_path, machine=Machine(precision="fp32"))
    assert len(tried) == 6
    monkeypatch.setattr(remembered, "count_cores", lambda: 999)
    choose(tmp_path)
    assert len(tried) == 8
    monkeypatch.setattr(remembered, "version", lambda _: "newer")
    choose(tmp_path)
    assert len(tried) == 10


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"one": "onnx"}', '{"one": "onnx", "two": "magic"}'])
def test_a_note_that_cannot_be_used_is_written_anew(tried: Tried, tmp_path: Path, content: str) -> None:
    choose(tmp_path)
    (note,) = tmp_path.iterdir()
    whole = note.read_text()
    note.write_text(content)
    assert choose(tmp_path) == {"one": "onnx", "two": "onnx"}
    assert len(tried) == 4
    assert note.read_text() == whole


def test_where_nothing_can_be_kept_it_is_tried_every_time(tried: Tried, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert choose(tmp_path / "file") == choose(tmp_path / "file") == {"one": "onnx", "two": "onnx"}
    assert len(tried) == 4
