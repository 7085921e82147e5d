"""Engines in processes of their own: the libraries behind them do not all get on with each other."""

import subprocess
import sys

import pytest

from pipeline.artifacts import Artifacts

ANSWERS = """
import sys
from pathlib import Path
import numpy as np
from pipeline.inference.choosing import ENGINES, draw_probe
from pipeline.params import Machine

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
