import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from nephoscope.artifacts import Artifacts
from nephoscope.settings.params import Params

# Before anything imports them. A test run calls nobody,
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# and its small networks gain nothing from threads, which only wait for each other where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# It starts many processes: where neither pip nor Python keeps bytecode, each would compile torch and more anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What it makes of models is kept out of the user's own place, in one that the workers of a run share.
if "NEPHOSCOPE_CACHE" not in os.environ:
    kept = tempfile.TemporaryDirectory(prefix="nephoscope-tests-")
    os.environ["NEPHOSCOPE_CACHE"] = kept.name

# The first call of compiled code takes a second, and a busy machine takes its time: neither is a problem.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


MADE_ONCE = {"finished": "a finished run", "labelled_run": "a judged run", "opened": "a judged run"}
"""Fixture → group of tests."""


@pytest.hookimpl(tryfirst=True)  # xdist looks for groups by the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share something that takes seconds to make go to one worker, so that it is made once."""
    for item in items:
        asked = getattr(item, "fixturenames", ())
        shared = next((name for name in MADE_ONCE if name in asked), None)
        if shared:
            item.add_marker(pytest.mark.xdist_group(MADE_ONCE[shared]))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """A finished run of the whole pipeline. Only to be read: tests that write take `own_run`."""
    from tests.builders.pipeline_run import (  # imports torch: not for all
        run_after_training,
        run_until_trained,
        tiny_params,
    )

    root = tmp_path_factory.mktemp("finished")
    params, artifacts = tiny_params(root), Artifacts(root)
    run_until_trained(params, artifacts)
    run_after_training(params, artifacts)
    return artifacts


@pytest.fixture
def own_run(finished: Artifacts, tmp_path: Path) -> Artifacts:
    """A copy of the finished run, to be changed at will."""
    return Artifacts(Path(shutil.copytree(finished.root, tmp_path / "artifacts")))


@pytest.fixture(scope="session")
def labelled_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Params, Artifacts]:
    """Everything that `report` reads. Only to be read: a test that changes it takes a copy."""
    from tests.builders.labelled_run import labelled_params, write_labelled_run

    artifacts = Artifacts(tmp_path_factory.mktemp("labelled"))
    params = labelled_params(artifacts.root)
    write_labelled_run(params, artifacts)
    return params, artifacts
