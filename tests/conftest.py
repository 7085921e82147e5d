import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from nephoscope.artifacts import Artifacts
from nephoscope.settings.params import Params

# Set before the libraries are imported. Tests use no network,
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# and their small networks run fastest with one thread, because tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests start many processes. Without stored bytecode, each of them would compile PyTorch again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The cache of the tests: not the user's own, and shared by the workers of a run.
if "NEPHOSCOPE_CACHE" not in os.environ:
    cache = tempfile.TemporaryDirectory(prefix="nephoscope-tests-")
    os.environ["NEPHOSCOPE_CACHE"] = cache.name

# No deadline: the first call of compiled code takes a second, and a busy machine is slow.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


SHARED = {"finished": "finished run", "labelled_run": "labelled run", "opened": "labelled run"}
"""Fixture → name of the group of tests that share it."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a slow fixture run on one worker, so that the fixture is made once."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        shared = next((name for name in SHARED if name in fixtures), None)
        if shared:
            item.add_marker(pytest.mark.xdist_group(SHARED[shared]))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """A finished run of the whole pipeline. Read only; tests that write use `own_run`."""
    from tests.builders.pipeline_run import (  # here, because it imports torch
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
    """A copy of the finished run that a test may change."""
    return Artifacts(Path(shutil.copytree(finished.root, tmp_path / "artifacts")))


@pytest.fixture(scope="session")
def labelled_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Params, Artifacts]:
    """Everything that `report` reads. Read only; a test that changes it makes a copy."""
    from tests.builders.labelled_run import labelled_params, write_labelled_run

    artifacts = Artifacts(tmp_path_factory.mktemp("labelled"))
    params = labelled_params(artifacts.root)
    write_labelled_run(params, artifacts)
    return params, artifacts


@pytest.fixture(scope="session")
def labelled_report(labelled_run: tuple[Params, Artifacts]) -> Path:
    """Its report, with all optional parts: heat maps, an earlier run to compare with, and a title to be escaped."""
    from nephoscope.report.build import build_report
    from tests.builders.labelled_run import write_heat_maps

    params, artifacts = labelled_run
    write_heat_maps(artifacts.explain)
    earlier = Path(shutil.copytree(artifacts.evaluate.tables, artifacts.root / "earlier"))
    changes = {"title": '<b>Clouds & "co"</b>', "earlier": earlier}
    report = params.report.model_copy(update=changes)
    return build_report(params.model_copy(update={"report": report}), artifacts)
