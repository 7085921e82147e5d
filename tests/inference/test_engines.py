"""Engines in processes of their own: the libraries behind them do not all get on with each other."""

import subprocess
import sys
from pathlib import Path

import pytest

from nephoscope.artifacts import Artifacts

ANSWERS = """
import sys
from pathlib import Path
import numpy as np
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.settings.section import Machine

for network in ("classifier-seed0", "segmenter-seed0"):
    engine = ENGINES[sys.argv[1]](Path(sys.argv[2]) / network, Machine(precision="fp32"), 2)
    pictures = np.concatenate([draw_probe(engine.input_shape)] * 2)
    together = engine(pictures)
    for count in (3, 1, 4, 6):
        fewer = engine(np.resize(pictures, (count, *pictures.shape[1:])))
        assert fewer.shape == (count, *together.shape[1:])
        np.testing.assert_allclose(fewer, np.resize(together, fewer.shape), atol=1e-4, err_msg=network)
"""


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_a_picture_has_one_answer_however_many_go_with_it(finished: Artifacts, engine: str) -> None:
    command = [sys.executable, "-c", ANSWERS, engine, str(finished.export.model)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


SIDE_BY_SIDE = """
import builtins
import sys
from pathlib import Path
from threading import Barrier, Event, Thread
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.settings.section import Machine

engine = ENGINES["openvino"](Path(sys.argv[1]) / "classifier-seed0", Machine(), 2)
picture = draw_probe(engine.input_shape)[:1]
engine._size_for(1)
quick = builtins.__import__

def import_slowly(name, *rest, **more):
    if name.startswith("numpy"):
        Event().wait(0.2)  # OpenVINO asks for numpy with its first array: here the other thread gets its turn
    return quick(name, *rest, **more)

builtins.__import__ = import_slowly
begin = Barrier(2)
threads = [Thread(target=lambda: (begin.wait(), engine(picture))) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_pictures_of_a_process_may_come_from_two_threads(finished: Artifacts) -> None:
    """Without care such a process hangs where threads change at a bad moment."""
    command = [sys.executable, "-c", SIDE_BY_SIDE, str(finished.export.model)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


OPENING = """
import sys
from pathlib import Path
from nephoscope.inference.engine_choice import ENGINES
from nephoscope.errors import UserError
from nephoscope.settings.section import Machine

try:
    ENGINES[sys.argv[1]](Path(sys.argv[2]), Machine(), 1)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_network_that_an_engine_cannot_open_is_told(tmp_path: Path, engine: str) -> None:
    (tmp_path / "one.onnx").write_bytes(b"no network")
    result = subprocess.run(
        [sys.executable, "-c", OPENING, engine, str(tmp_path / "one")], capture_output=True, text=True
    )
    assert result.stdout.startswith(f"{tmp_path / 'one.onnx'}: the engine fails over it: "), result.stderr
    assert result.stdout.endswith("; choose another engine\n")
