"""A run that is killed in the middle of an epoch goes on with the next batch."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipeline.artifacts import Artifacts
from pipeline.learning import fit
from tests.architecture import ROOT
from tests.learning.blobs import blobs_in
from tests.learning.test_fit import same, segmenter, train, weights_of

KILLED = """
import os, sys
from pathlib import Path
from pipeline.learning.keeping import History
from tests.learning import test_resuming

def die_midway(self, trainer, pl_module, outputs, batch, batch_idx):
    if (trainer.current_epoch, batch_idx) == (1, 2):
        os._exit(9)

def die_before_validation(self, trainer, pl_module):
    if trainer.current_epoch == 1:
        os._exit(9)

if sys.argv[3] == "midway":
    History.on_train_batch_end = die_midway
else:
    History.on_validation_start = die_before_validation
test_resuming.run(test_resuming.Artifacts(Path(sys.argv[1])), eval(sys.argv[2]))
"""


def run(artifacts: Artifacts, changes: dict[str, object]) -> Path:
    """Train, saving after every batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "SAVE_EVERY", timedelta(microseconds=1))
        return train(segmenter(epochs=3, **changes), artifacts)


@pytest.mark.parametrize(
    ("killed_at", "changes"),
    [
        ("midway", {"sampling": "balanced", "optimiser": {"schedule": "plateau"}}),
        ("midway", {"ema_decay": 0.9, "machine": {"accelerator": "cpu", "workers": 1}}),
        ("validation", {"optimiser": {"schedule": "plateau"}}),
    ],
)
def test_no_batch_and_no_validation_is_done_twice_or_left_out(
    tmp_path: Path, killed_at: str, changes: dict[str, object]
) -> None:
    killed, whole = blobs_in(tmp_path / "killed"), blobs_in(tmp_path / "whole")
    command = [sys.executable, "-c", KILLED, str(killed.root), repr(changes), killed_at]
    done = subprocess.run(command, cwd=ROOT, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 9
    went_on, uninterrupted = run(killed, changes), run(whole, changes)
    assert same(weights_of(went_on), weights_of(uninterrupted))
    # The loss of the interrupted epoch is that of its second part: all else is told alike.
    told = [pd.read_csv(one.train_segmenter.history).drop(columns="train_loss") for one in (killed, whole)]
    pd.testing.assert_frame_equal(*told)
