"""Engines on exported networks: any number of images, two threads at once, files that are no network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.inference.engines import EngineName
from nephoscope.settings.section import Machine


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
@pytest.mark.parametrize("network", ["classifier-seed0", "segmenter-seed0"])
def test_the_size_of_a_batch_does_not_change_the_probabilities(
    finished: Artifacts, name: EngineName, network: str
) -> None:
    engine = ENGINES[name](finished.export.model / network, Machine(precision="fp32"), 2)
    images = np.concatenate([draw_probe(engine.input_shape)] * 2)
    together = engine(images)
    for count in (3, 1, 4, 6):
        fewer = engine(np.resize(images, (count, *images.shape[1:])))
        assert fewer.shape == (count, *together.shape[1:])
        np.testing.assert_allclose(fewer, np.resize(together, fewer.shape), atol=1e-4)


TWO_THREADS = """
import builtins
import sys
from pathlib import Path
from threading import Barrier, Event, Thread
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.settings.section import Machine

engine = ENGINES["openvino"](Path(sys.argv[1]) / "classifier-seed0", Machine(), 2)
image = draw_probe(engine.input_shape)[:1]
engine._size_for(1)
original_import = builtins.__import__

def import_slowly(name, *rest, **more):
    if name.startswith("numpy"):
        Event().wait(0.2)  # OpenVINO imports numpy with its first tensor: now the other thread runs
    return original_import(name, *rest, **more)

builtins.__import__ = import_slowly
begin = Barrier(2)
threads = [Thread(target=lambda: (begin.wait(), engine(image))) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_images_of_a_process_may_come_from_two_threads(finished: Artifacts) -> None:
    """The first tensor of a process deadlocks if two threads create it."""
    command = [sys.executable, "-c", TWO_THREADS, str(finished.export.model)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


SIGNAL_AFTER_TWO_ENGINES = """
import gc
import signal
import sys
from pathlib import Path
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.settings.section import Machine

signal.signal(signal.SIGTERM, lambda *_: print("handled"))
stems = [Path(sys.argv[1]) / "classifier-seed0", Path(sys.argv[1]) / "segmenter-seed0"]
engines = [ENGINES["openvino"](stem, Machine(), 1) for stem in stems]
for engine in engines:
    engine(draw_probe(engine.input_shape)[:1])
while engines:
    del engine, engines[0]
    gc.collect()
    engine = None
signal.raise_signal(signal.SIGTERM)
"""


def test_signals_are_handled_after_two_engines_are_gone(finished: Artifacts) -> None:
    """Two plug-ins of OpenVINO free each other's stack for signal handlers: the next signal would be a crash."""
    command = [sys.executable, "-c", SIGNAL_AFTER_TWO_ENGINES, str(finished.export.model)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (result.returncode, result.stdout) == (0, "handled\n"), result.stderr


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_network_that_an_engine_cannot_open_is_reported(tmp_path: Path, name: EngineName) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(UserError) as caught:
        ENGINES[name](path.with_suffix(""), Machine(), 1)
    assert str(caught.value).startswith(f"{path}: the engine cannot open this network: ")
    assert str(caught.value).endswith("; choose another engine")
