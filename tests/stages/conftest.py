import shutil
from pathlib import Path

import pytest

from pipeline.artifacts import Artifacts
from tests.stages.tiny import run_after_training, run_until_trained, tiny_params


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that read the finished run go to one worker, so that it is made once."""
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("finished"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """A finished run of the whole pipeline. Only to be read: tests that write take `own_run`."""
    root = tmp_path_factory.mktemp("finished")
    params, artifacts = tiny_params(root), Artifacts(root)
    run_until_trained(params, artifacts)
    run_after_training(params, artifacts)
    return artifacts


@pytest.fixture
def own_run(finished: Artifacts, tmp_path: Path) -> Artifacts:
    """A copy of the finished run, to be changed at will."""
    return Artifacts(Path(shutil.copytree(finished.root, tmp_path / "artifacts")))
